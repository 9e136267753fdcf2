/**
 * Whether the kernel behind a panel is there.
 *
 * Front ends tell the state of their kernel in different ways or not at all, so two signs count: what the widget
 * manager knows of its kernel, and whether messages are acknowledged. A kernel that runs a cell answers later; one
 * that is idle and does not answer no longer knows this panel.
 */

/** @typedef {"there" | "busy" | "gone"} Presence */
/** @typedef {"idle" | "busy" | "unreachable" | "gone" | "unknown"} KernelStatus */

const PATIENCE_MS = 1_200;
const PROBE_MS = 600;
const ENDING = new Set(["dead", "terminating", "restarting", "autorestarting"]);

/**
 * What the widget manager knows of the kernel.
 * @param {any} manager
 * @returns {KernelStatus}
 */
export function kernelStatus(manager) {
  if (!manager || !("kernel" in manager)) return "unknown";
  const { kernel } = manager;
  if (!kernel || kernel.isDisposed) return "gone";
  // JupyterLab's document knows of an end before the kernel itself says so.
  const display = manager.context?.sessionContext?.kernelDisplayStatus;
  if ([kernel.status, display].some((status) => ENDING.has(status))) return "gone";
  if (kernel.connectionStatus === "disconnected") return "unreachable";
  if (kernel.status === "idle" || kernel.status === "busy") return kernel.status;
  return "unknown";
}

/**
 * Ask the kernel something that it answers only between cells.
 * @param {any} manager
 * @returns {Promise<unknown> | null} null where a front end has no way to ask
 */
export function askKernel(manager) {
  const kernel = manager?.kernel;
  return typeof kernel?.requestKernelInfo === "function" ? kernel.requestKernelInfo() : null;
}

export class KernelWatch {
  /**
   * @param {() => KernelStatus} status
   * @param {() => void} onChange
   * @param {() => number} clock milliseconds
   * @param {() => Promise<unknown> | null} ask whether the kernel answers at all
   */
  constructor(status, onChange, clock = () => performance.now(), ask = () => null) {
    this.status = status;
    this.ask = ask;
    /** @type {{ since: number, answered: boolean } | null} the question under way, or the last one */
    this.probe = null;
    this.onChange = onChange;
    this.clock = clock;
    /** @type {Map<number, number>} messages that were not acknowledged yet, and since when they can be */
    this.waiting = new Map();
    /** @type {Presence} */
    this.presence = "there";
    this.lost = false;
  }

  /** @param {number} id of a message that was sent */
  sent(id) {
    this.waiting.set(id, this.clock());
  }

  /** A message could not be sent at all. */
  failed() {
    this.lost = true;
    this.check();
  }

  /** @param {number} id of a message that the kernel has handled */
  acknowledged(id) {
    // Messages arrive in their order.
    for (const other of this.waiting.keys()) if (other <= id) this.waiting.delete(other);
    this.lost = false;
    this.probe = null;
    this.check();
  }

  /**
   * Tell a kernel that does not know this panel from one that runs a cell although its status is idle, as it is while
   * only a subshell has ended something.
   * @param {number} now
   * @returns {Presence}
   */
  #unanswered(now) {
    if (this.probe === null) {
      const asked = this.ask();
      if (asked === null) return "gone";
      const probe = { since: now, answered: false };
      this.probe = probe;
      asked.then(() => { probe.answered = true; this.check(); }, () => { probe.answered = true; });
    }
    if (this.probe.answered) return "gone";
    return now - this.probe.since > PROBE_MS ? "busy" : this.presence;
  }

  /** Look again; to be called several times a second while somebody can see the panel. */
  check() {
    const status = this.status();
    const now = this.clock();
    let silent = 0;
    for (const [id, since] of this.waiting) {
      if (status === "busy") this.waiting.set(id, now); // it can't answer
      silent = Math.max(silent, now - since);
    }
    // A kernel that was restarted is idle again soon, and has lost this panel for good. One that could not be reached
    // for a while is the same as before.
    if (status === "gone") this.lost = true;
    /** @type {Presence} */
    let presence = "there";
    if (this.lost || status === "unreachable") presence = "gone";
    else if (status !== "busy" && silent > PATIENCE_MS) presence = this.#unanswered(now);
    else if (status === "busy" && this.waiting.size > 0) presence = "busy";
    if (presence === this.presence) return;
    this.presence = presence;
    this.onChange();
  }
}
