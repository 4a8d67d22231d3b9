import type { TenantTx } from '../src/tenant-tx';

/** Stands in every text column of the victim, so that no way of showing a row can miss it. */
export const SECRET = 'victims-secret';

/** What somebody tries who controls the text of one statement in a tenant's transaction, and what comes of it. */
export class Attack {
  attempts = 0;
  /** Rows in which the victim's secret stood, in the answer to somebody else. */
  foreignRows = 0;

  constructor(
    private readonly subject: string,
    private readonly isVictim: (tenantId: string) => boolean,
  ) {}

  /** Runs any text as one statement. */
  async inject<Row = Record<string, unknown>>(
    tx: TenantTx,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    this.attempts += 1;
    const rows = await tx.rows<Row>({ name: `attack.${this.subject}_${this.attempts}`, text }, values);
    if (!this.isVictim(tx.tenantId)) this.foreignRows += rows.filter((row) => shows(row, text)).length;
    return rows;
  }

  /** One line for whoever reads the log of a run. */
  report(route: string): void {
    process.stdout.write(
      `${this.subject}, ${route}: ${this.attempts} injected statements, ${this.foreignRows} foreign rows\n`,
    );
  }
}

/** A row of any kind as text, without the statement, which some views show. */
export function textOf(row: unknown, statement: string): string {
  const text =
    JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? '';
  return text.replaceAll(JSON.stringify(statement).slice(1, -1), '');
}

const shows = (row: unknown, statement: string): boolean => textOf(row, statement).includes(SECRET);
