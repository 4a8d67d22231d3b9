import type { Finding } from './catalogue-check';
import type { Exemption } from './exemptions';

/** What the doctor found, and what it was told to leave out. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly exemptions: readonly Exemption[];
}

/** The findings over which nothing may be served. */
export function holesIn({ findings }: Diagnosis): Finding[] {
  return findings.filter(({ severity }) => severity === 'hole');
}

/** Findings for people: one paragraph each. */
export function formatFindings(findings: readonly Finding[]): string {
  const paragraphs = findings.map(
    ({ rule, severity, object, reason, fix }) =>
      `Rule ${rule}${severity === 'warning' ? ', warning' : ''}: ${object}\n  ${reason}\n  fix: ${fix}`,
  );
  const holes = findings.filter(({ severity }) => severity === 'hole').length;
  const outcome =
    holes === 0
      ? 'No hole in tenant isolation found.'
      : `${holes} found. The rules are in libs/platform/tenancy/README.md.`;
  return [...paragraphs, outcome].join('\n\n');
}

/** The whole diagnosis for people: what was left out comes first, so that the outcome stands at the end. */
export function formatDiagnosis({ findings, exemptions }: Diagnosis): string {
  const lines = exemptions.map(
    ({ rule, object, reason, owner, expiresAt, hasExpired }) =>
      `  rule ${rule}: ${object}\n    ${reason} (${owner}${expiresAt === null ? '' : `, ${hasExpired ? 'expired' : 'until'} ${expiresAt}`})`,
  );
  const left = lines.length === 0 ? [] : [['Exempted:', ...lines].join('\n')];
  return [...left, formatFindings(findings)].join('\n\n');
}
