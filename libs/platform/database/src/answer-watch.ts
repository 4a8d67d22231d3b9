/** The server owes an answer and says nothing: it stands still, or the network between swallows what is sent. */
export class ServerSilent extends Error {
  override readonly name = 'ServerSilent';
  readonly code = 'ETIMEDOUT';
}

/**
 * Watches that a server which owes answers gives them: one at least in every `silenceMs`. Statements that are pipelined are
 * answered one by one, and each may take as long as a statement may, so what counts is the time since the last answer.
 *
 * PostgreSQL's own timeouts end what runs on the server. Nothing of it reaches a client that the network cuts off without
 * a word: TCP sends again for a quarter of an hour before it gives up, with the connection and its request waiting.
 */
export class AnswerWatch {
  private owed = 0;
  private answers = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly silenceMs: number,
    private readonly onSilence: (error: ServerSilent) => void,
  ) {}

  /** Something that has to be answered was sent. */
  sent(): void {
    this.owed += 1;
    this.timer ??= setTimeout(() => this.look(), this.silenceMs);
  }

  /** Something of it was answered, or failed. */
  answered(): void {
    this.owed -= 1;
    this.answers += 1;
    if (this.owed > 0) this.timer?.refresh();
    else this.stop();
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** An answer may have come while this process was busy with something else: it is read before anything is decided. */
  private look(): void {
    const { answers } = this;
    setImmediate(() => {
      if (this.answers > answers) return;
      this.stop();
      this.onSilence(new ServerSilent(`the server has not answered within ${this.silenceMs} ms`));
    });
  }
}
