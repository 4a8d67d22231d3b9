import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  rmdirSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const MIB = 2 ** 20;
/** Tables grow by blocks of 8 kB: enough to try, and too little to go on for long. */
const LEFT_BYTES = 256 * 1_024;

/** Why no file system of a size can be made here; undefined where it can. */
export function whyNoSmallDisk(): string | undefined {
  if (process.platform !== 'linux') return 'file systems in memory are made on Linux only';
  if (process.getuid?.() !== 0) return 'a file system is mounted by root only';
  try {
    // In a namespace of its own, so that nothing stays if this process dies.
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'], {
      stdio: 'ignore',
    });
    return undefined;
  } catch {
    return 'this container may not mount anything';
  }
}

/** A file system in memory that is full when a test wants it to be. */
export class SmallDisk {
  private constructor(readonly path: string) {}

  static mount(path: string, sizeMb: number): SmallDisk {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=755`, 'none', path]);
    return new SmallDisk(path);
  }

  /** Takes nearly all room that is left. */
  fill(): void {
    const ballast = openSync(this.ballast, 'w');
    const block = Buffer.alloc(64 * 1_024, 1);
    while (this.freeBytes > LEFT_BYTES) writeSync(ballast, block);
    closeSync(ballast);
  }

  /** Gives the room back. */
  free(): void {
    rmSync(this.ballast, { force: true });
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  unmount(): void {
    if (!existsSync(this.path)) return;
    execFileSync('umount', [this.path]);
    rmdirSync(this.path);
  }

  private get ballast(): string {
    return join(this.path, 'ballast');
  }
}

/** What a directory and all in it takes. */
export function sizeMbOf(directory: string): number {
  const [bytes = '0'] = execFileSync('du', ['-sb', directory], { encoding: 'utf8' }).split('\t');
  return Math.ceil(Number(bytes) / MIB);
}
