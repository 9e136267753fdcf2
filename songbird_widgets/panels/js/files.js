/** Files on their way to the kernel: one after the other, in pieces, each acknowledged. */

// Websockets of Jupyter take 10 MiB a message; small pieces leave room for everything else.
const PIECE = 1 << 20;

/**
 * @typedef {{ kind: string, alias: string }} AddOptions
 * @typedef {{ id: string, file: Blob & { name: string }, options: AddOptions, at: number, more: boolean }} Arrival
 */

let serial = 0;

export class FileSender {
  /**
   * @param {(name: string, content: object, buffers?: ArrayBuffer[]) => void} send
   * @param {() => void} onChange
   */
  constructor(send, onChange) {
    this.send = send;
    this.onChange = onChange;
    /** @type {Arrival[]} */
    this.queue = [];
    /** @type {Arrival | null} */
    this.current = null;
  }

  /**
   * @param {Iterable<Blob & { name: string }>} files
   * @param {AddOptions} options
   */
  take(files, options) {
    const list = [...files];
    // One alias names one file; others are called as they are.
    const alias = list.length > 1 ? "" : options.alias;
    for (const file of list) {
      serial += 1;
      const id = `file-${serial}-${Math.random().toString(36).slice(2, 8)}`;
      this.queue.push({ id, file, options: { ...options, alias }, at: 0, more: this.current !== null || this.queue.length > 0 });
    }
    this.#next();
  }

  #next() {
    if (!this.current && this.queue.length) {
      this.current = /** @type {Arrival} */ (this.queue.shift());
      this.send("begin", { file: this.current.id, name: this.current.file.name, size: this.current.file.size });
    }
    this.onChange();
  }

  /**
   * What the kernel says of a file: how far it is, that it is there, or that it will not have it.
   * @param {import("./types.js").KernelMessage} message
   */
  async hear(message) {
    const one = this.current;
    if (!one || message.file !== one.id) return;
    if (message.done || message.failed) {
      this.current = null;
      this.#next();
      return;
    }
    one.at = message.at ?? 0;
    this.onChange();
    try {
      const piece = await one.file.slice(one.at, one.at + PIECE).arrayBuffer();
      this.send("piece", { file: one.id, at: one.at, more: one.more, ...one.options }, [piece]);
    } catch (error) {
      // The kernel says so, as it says what became of every other file.
      this.send("abandon", { file: one.id, reason: error instanceof Error ? error.message : String(error) });
      this.current = null;
      this.#next();
    }
  }
}
