import { DomainError } from '@holdfast/kernel';
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { PAGE_DEFAULT } from './connections';

/** A page of 200 objects, with a page of something for each, and room for a few more. */
const COST_MAX = 250;

/** The document asks for more than any request may. */
export class TooCostly extends DomainError {
  readonly code = 'graphql.too_costly';
  readonly kind = 'malformed';

  constructor(cost: number) {
    super(`The document costs as much as ${cost} requests; ${COST_MAX} are allowed. Ask for smaller pages.`);
  }
}

type Variables = Readonly<Record<string, unknown>>;

/**
 * How many requests the document stands for: one for each root field, and for each time that a field with arguments can
 * be resolved, which is a read of up to a page. Below a page it counts as often as the page has items. Of several
 * operations the dearest counts. Throws TooCostly.
 *
 * Looks at each field once, whatever the fragments: a fragment costs the same wherever it is spread.
 */
export function documentCost(schema: GraphQLSchema, document: DocumentNode, variables: Variables): number {
  const reckoning = new Reckoning(schema, document, variables);
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  const cost = Math.max(1, ...operations.map((operation) => reckoning.ofOperation(operation)));
  if (cost > COST_MAX) throw new TooCostly(cost);
  return cost;
}

class Reckoning {
  private readonly fragments = new Map<string, () => number>();
  private readonly defaults = new Map<string, number>();

  constructor(
    private readonly schema: GraphQLSchema,
    document: DocumentNode,
    private readonly variables: Variables,
  ) {
    for (const node of document.definitions) {
      if (node.kind === Kind.FRAGMENT_DEFINITION) this.addFragment(node);
      if (node.kind === Kind.OPERATION_DEFINITION) this.addDefaults(node);
    }
  }

  ofOperation({ operation, selectionSet }: OperationDefinitionNode): number {
    return this.ofSelections(selectionSet, this.schema.getRootType(operation) ?? undefined);
  }

  private addFragment({ name, typeCondition, selectionSet }: FragmentDefinitionNode): void {
    let cost: number | undefined;
    const type = this.objectType(typeCondition.name.value);
    this.fragments.set(name.value, () => (cost ??= this.ofSelections(selectionSet, type)));
  }

  private addDefaults({ variableDefinitions = [] }: OperationDefinitionNode): void {
    for (const { variable, defaultValue } of variableDefinitions) {
      if (defaultValue?.kind !== Kind.INT) continue;
      const known = this.defaults.get(variable.name.value) ?? 0;
      this.defaults.set(variable.name.value, Math.max(known, Number(defaultValue.value)));
    }
  }

  private ofSelections({ selections }: SelectionSetNode, parent: GraphQLObjectType | undefined): number {
    let cost = 0;
    for (const node of selections) {
      if (node.kind === Kind.FIELD) cost += this.ofField(node, parent);
      else if (node.kind === Kind.FRAGMENT_SPREAD) cost += this.fragments.get(node.name.value)?.() ?? 0;
      else {
        const type = this.objectType(node.typeCondition?.name.value) ?? parent;
        cost += this.ofSelections(node.selectionSet, type);
      }
    }
    return cost;
  }

  private ofField(node: FieldNode, parent: GraphQLObjectType | undefined): number {
    const field = parent?.getFields()[node.name.value];
    const own = field && (this.isRoot(parent) || field.args.length > 0) ? 1 : 0;
    if (!node.selectionSet) return own;
    const type = field && getNamedType(field.type);
    const below = this.ofSelections(node.selectionSet, isObjectType(type) ? type : undefined);
    return own + this.itemsOf(node, field) * below;
  }

  private isRoot(type: GraphQLObjectType | undefined): boolean {
    const { schema } = this;
    return [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(type);
  }

  /**
   * How many items a field brings: as many as `first` says where it takes that, else one. Never fewer than one: a page of
   * minus a thousand, which no resolver takes and `@skip` keeps from being asked, would pay for the rest of the document.
   */
  private itemsOf(node: FieldNode, field: GraphQLField<unknown, unknown> | undefined): number {
    if (!field?.args.some(({ name }) => name === 'first')) return 1;
    const first = this.valueOf(node.arguments?.find(({ name }) => name.value === 'first')?.value);
    return Number.isInteger(first) ? Math.max(1, Number(first)) : PAGE_DEFAULT;
  }

  private valueOf(given: ValueNode | undefined): unknown {
    if (given?.kind === Kind.INT) return Number(given.value);
    if (given?.kind !== Kind.VARIABLE) return undefined;
    return this.variables[given.name.value] ?? this.defaults.get(given.name.value);
  }

  private objectType(name: string | undefined): GraphQLObjectType | undefined {
    const type = name === undefined ? undefined : this.schema.getType(name);
    return isObjectType(type) ? type : undefined;
  }
}
