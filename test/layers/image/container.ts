import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';
import { freePort } from '../../../layers/image/free-port.ts';
import { decodeSegment } from '../../../layers/record/codec.ts';
import type { AuditRecord, Segment } from '../../../layers/record/types.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly pieces: readonly string[];
}

/** A container of an image that was built with the entrypoint, as far as processes go; its evidence goes to a directory. */
export class Container {
  readonly dir = mkdtempSync('/tmp/alastor-image-');
  readonly #image: string;
  #child: ChildProcess | undefined;
  port = 0;
  stderr = '';

  constructor(image: string) {
    this.#image = image;
  }

  get child(): ChildProcess {
    if (this.#child === undefined) throw new Error('not started');
    return this.#child;
  }

  /** The process that platforms send signals to. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  async start(command: readonly string[], env: NodeJS.ProcessEnv = {}, entrypoint = join(this.#image, 'alastor/entrypoint')) {
    this.port = await freePort();
    this.#child = spawn(entrypoint, command, {
      cwd: this.dir,
      env: {
        PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
        PORT: String(this.port),
        ALASTOR_DIR: join(this.dir, 'shared'),
        ALASTOR_BUCKET: `file://${this.dir}/evidence`,
        ALASTOR_FUNCTION: 'checkout',
        ...env,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    for (let tries = 0; tries < 1000 && !(await this.#answers()); tries++) await pause(10);
  }

  get(path: string, headers: http.OutgoingHttpHeaders = {}, body?: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.port,
        path,
        headers,
        method: body === undefined ? 'GET' : 'POST',
        agent: false,
      };
      const call = http.request(options, (response) => {
        const pieces: string[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece.toString()));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: pieces.join(''), headers: response.headers, pieces }),
        );
      });
      call.on('error', reject);
      call.end(body);
    });
  }

  /** Ends it as platforms do; resolves with its exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals | null> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      process.kill(this.pid, signal);
      await exited;
    }
    return child.exitCode ?? child.signalCode;
  }

  /** What it has stored, in order. */
  segments(): { readonly key: string; readonly segment: Segment }[] {
    const root = join(this.dir, 'evidence');
    const keys = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((key) => key.endsWith('.zst'));
    return keys.sort().map((key) => ({ key, segment: decodeSegment(readFileSync(join(root, key)), key) }));
  }

  records(): readonly AuditRecord[] {
    return this.segments().flatMap(({ segment }) => segment.records);
  }

  of<K extends AuditRecord['kind']>(kind: K): Extract<AuditRecord, { kind: K }>[] {
    return this.records().filter((r): r is Extract<AuditRecord, { kind: K }> => r.kind === kind);
  }

  async remove(): Promise<void> {
    if (this.#child !== undefined) await this.stop('SIGTERM');
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    if (this.child.exitCode !== null) throw new Error(`the container ended: ${this.stderr}`);
    return new Promise((resolve) => {
      const probe = http.get({ host: '127.0.0.1', port: this.port, path: '/probe', agent: false });
      probe.on('response', (response) => {
        response.resume();
        resolve(true);
      });
      probe.on('error', () => resolve(false));
    });
  }
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
