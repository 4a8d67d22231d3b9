import { SetMetadata } from '@nestjs/common';

/** Where the guard finds what a route costs. */
export const COST = 'holdfast:cost';

/** A route that costs its caller so many requests: an export that reads ten thousand rows is not one request. */
export const Costs = (requests: number): MethodDecorator & ClassDecorator => SetMetadata(COST, requests);
