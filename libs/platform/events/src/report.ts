/** Where failures go that nobody waits for: what failed, and while doing what. Never holds a payload or a grant. */
export type Report = (error: unknown, doing: string) => void;
