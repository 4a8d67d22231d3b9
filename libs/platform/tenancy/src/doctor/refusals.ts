import { type Caller, newId } from '@holdfast/kernel';
import { Database, statement, SystemTx, TenantContextRefused } from '@holdfast/database';
import { callerOf } from '../grant';
import { Grants } from '../grants';
import { TenantTx } from '../tenant-tx';

const SET_CONTEXT = statement('doctor.set_context', `select set_config('holdfast.context', $1, true)`);
const READ_CONTEXT = statement<{ context: string | null }>(
  'doctor.read_context',
  `select current_setting('holdfast.context', true) as context`,
);
const LEAVE = statement('doctor.leave_setting', `select set_config('application_name', $1, false)`);
const ENTER_AGAIN = statement('doctor.enter_again', 'select tenancy.enter($1)');
const READ_LEFT = statement<{ name: string }>(
  'doctor.read_setting',
  `select current_setting('application_name') as name`,
);
const READ_TENANT = statement<{ tenant_id: string }>('doctor.read_tenant', 'select tenancy.tenant_id()');

/** The two pools that a process has: one uses grants, the other mints them. */
export interface DoctorPools {
  readonly app: Database;
  readonly auth: Database;
}

/** Something that the database has to refuse with HF001. */
export interface Refusal {
  readonly rule: number;
  readonly object: string;
  readonly what: string;
  readonly attempt: (subject: Subject) => Promise<unknown>;
}

/** A caller of a tenant that does not exist, and the context that the database gave it in a transaction now ended. */
interface Subject {
  readonly app: Database;
  readonly caller: Caller;
  readonly ended: string;
}

/** Comes before the others: once a tenant has been entered on a connection, its setting is '' and never null again. */
const NO_CONTEXT: Refusal = {
  rule: 7,
  object: 'tenancy.tenant_id()',
  what: 'a transaction without a context',
  attempt: ({ app }) => readTenant(app),
};

const REFUSALS: readonly Refusal[] = [
  {
    rule: 5,
    object: 'tenancy.enter(text)',
    what: 'a forged grant',
    attempt: ({ app, caller }) => enter(app, { ...caller, grant: forge(caller.grant) }),
  },
  {
    rule: 5,
    object: 'tenancy.tenant_id()',
    what: 'a forged context',
    attempt: ({ app, ended }) => readTenant(app, forge(ended)),
  },
  {
    rule: 5,
    object: 'tenancy.tenant_id()',
    what: 'a grant in place of a context',
    attempt: ({ app, caller }) => readTenant(app, caller.grant),
  },
  {
    rule: 6,
    object: 'tenancy.tenant_id()',
    what: 'the context of a transaction that has ended',
    attempt: ({ app, ended }) => readTenant(app, ended),
  },
  {
    rule: 8,
    object: 'tenancy.tenant_id()',
    what: `the empty context ('') that a transaction leaves on its connection`,
    attempt: ({ app }) => readTenant(app, ''),
  },
];

/** Those of the refusals that did not come. Throws TenantContextRefused when not even a genuine grant is accepted. */
export async function missingRefusals({ app, auth }: DoctorPools): Promise<Refusal[]> {
  const caller = await systemCaller(auth);
  const isRefusedWithoutContext = await isRefused(NO_CONTEXT, { app, caller, ended: '' });
  const subject = { app, caller, ended: await enter(app, caller) };
  const answers = await Promise.all(REFUSALS.map((refusal) => isRefused(refusal, subject)));
  return [
    ...(isRefusedWithoutContext ? [] : [NO_CONTEXT]),
    ...REFUSALS.filter((_, index) => !answers[index]),
  ];
}

/** Whether a setting that one tenant has made for the session is there when the next one is entered. */
export async function survivesEntering({ app, auth }: DoctorPools): Promise<boolean> {
  const caller = await systemCaller(auth);
  const left = 'left by the doctor';
  const [, , rows] = await app.transaction(
    (connection) => new TenantTx(connection, caller, 'read only'),
    (tx) => Promise.all([tx.rows(LEAVE, [left]), tx.rows(ENTER_AGAIN, [caller.grant]), tx.last(READ_LEFT)]),
  );
  return rows[0]?.name === left;
}

async function systemCaller(auth: Database): Promise<Caller> {
  return callerOf(await new Grants(auth).forSystem('doctor', newId()), { requestId: 'doctor' });
}

async function isRefused(refusal: Refusal, subject: Subject): Promise<boolean> {
  try {
    await refusal.attempt(subject);
    return false;
  } catch (error) {
    if (error instanceof TenantContextRefused) return true;
    throw error;
  }
}

async function enter(app: Database, caller: Caller): Promise<string> {
  const rows = await app.transaction(
    (connection) => new TenantTx(connection, caller, 'read only'),
    (tx) => tx.last(READ_CONTEXT),
  );
  return rows[0]?.context ?? '';
}

async function readTenant(app: Database, context?: string): Promise<unknown> {
  return app.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    async (tx) => {
      if (context !== undefined) await tx.rows(SET_CONTEXT, [context]);
      return tx.last(READ_TENANT);
    },
  );
}

/** The same text under a MAC with another first character. */
function forge(signed: string): string {
  return (signed.startsWith('0') ? '1' : '0') + signed.slice(1);
}
