import type { Type } from '@nestjs/common';
import type { Page } from '@holdfast/cqrs';
import { ArgsType, Field, ObjectType } from '@nestjs/graphql';
import { z } from 'zod';
import { dto } from './dto';

/** The items of a page whose size nobody gave. */
export const PAGE_DEFAULT = 50;

/** What every Relay connection takes: `first` items behind `after`. */
@ArgsType()
export class PageArgs extends dto(
  z.strictObject({
    first: z.int().min(1).max(200).default(PAGE_DEFAULT),
    after: z.string().max(1_000).nullish(),
  }),
  'args',
) {}

/** The same, as the queries behind REST lists take it. */
export function pageInputOf({ first, after }: PageArgs): {
  readonly limit: number;
  readonly after: string | undefined;
} {
  return { limit: first ?? PAGE_DEFAULT, after: after ?? undefined };
}

/** Whether there is more, and where to go on. */
@ObjectType()
export class PageInfo {
  @Field()
  hasNextPage!: boolean;

  @Field()
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  startCursor!: string | null;

  @Field(() => String, { nullable: true })
  endCursor!: string | null;
}

/** An item and the cursor behind it. */
export interface Edge<Node> {
  readonly node: Node;
  readonly cursor: string;
}

/** A page as GraphQL clients know it (Relay Cursor Connections Specification). */
export interface Connection<Node> {
  edges: Edge<Node>[];
  pageInfo: PageInfo;
}

/** The base class of `<Node>Connection`, which each resolver extends under its own name. */
export function connectionOf<Node>(node: Type<Node>): Type<Connection<Node>> {
  @ObjectType(`${node.name}Edge`)
  class NodeEdge implements Edge<Node> {
    @Field(() => node)
    readonly node!: Node;

    @Field()
    readonly cursor!: string;
  }

  @ObjectType({ isAbstract: true })
  class NodeConnection implements Connection<Node> {
    @Field(() => [NodeEdge])
    edges!: NodeEdge[];

    @Field(() => PageInfo)
    pageInfo!: PageInfo;
  }
  return NodeConnection;
}

/** A REST page as a connection. Pages only go forward, so `hasPreviousPage` is false, as the specification allows. */
export function toConnection<Node>(page: Page<Node>): Connection<Node> {
  const edges = page.data.map((node, index) => ({ node, cursor: page.cursorAt(index) }));
  const pageInfo = {
    hasNextPage: page.nextCursor !== null,
    hasPreviousPage: false,
    startCursor: edges.at(0)?.cursor ?? null,
    // A page of filtered items may be short, or empty, and yet have a next one.
    endCursor: page.nextCursor ?? edges.at(-1)?.cursor ?? null,
  };
  return { edges, pageInfo };
}
