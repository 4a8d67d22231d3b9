import { isSubscription, replyOf, requestOf } from '@holdfast/http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { COST } from './costs';
import { Limits } from './limits';

/** Holds a tenant's request to its limits. Runs behind authentication; who is no tenant's caller passes. */
@Injectable()
export class LimitsGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly limits: Limits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = requestOf(context);
    const { caller } = request;
    if (!caller) return true;
    const declared = this.reflector.getAllAndOverride<number | undefined>(COST, [
      context.getHandler(),
      context.getClass(),
    ]);
    const cost = declared ?? request.cost ?? 1;
    if (isSubscription(context)) {
      await this.limits.chargeCaller(request, caller, cost);
      return true;
    }
    request.limits ??= { standings: [], isAnswered: false };
    await (request.limits.admission ??= this.limits.admitCaller(request, replyOf(context), caller, cost));
    return true;
  }
}
