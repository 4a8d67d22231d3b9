import type { Answer as PostAnswer, PostOutcome } from '@holdfast/outgoing';

/** What came of an attempt: of the request, or why none was sent. */
export type Outcome = PostOutcome | 'no_secret' | 'unreadable';

/** What came of an attempt, with what the log keeps of it. */
export type Answer = Omit<PostAnswer, 'outcome'> & { readonly outcome: Outcome };
