/** What a panel knows: the kernel's facts, the list read once for all its views, and whether the kernel is there. */

import { Days } from "./days.js";
import { KernelWatch, askKernel, kernelStatus } from "./kernel.js";
import { STATES, Table } from "./table.js";

/** @typedef {import("./types.js").Model} Model */
/** @typedef {import("./types.js").PartName} PartName */
/** @typedef {import("./types.js").KernelMessage} KernelMessage */

// What is larger than this does not stay in the widget's state, of which notebooks save a copy.
const MAX_SAVED_BYTES = 6_000;
const MAX_SAVED_CARD_BYTES = 12_000;
const CHECK_MS = 300;
/** @type {import("./days.js").Filter} */
const WARM_UP = { terms: "0", kind: "", state: "", from: null, to: null };

let serial = 0;

/** @param {Uint8Array} states */
function areMixed(states) {
  for (let row = 1; row < states.length; row += 1) if (states[row] !== states[0]) return true;
  return false;
}

export class Store {
  /** @type {Set<() => void>} */
  #followers = new Set();
  /** @type {Set<(message: KernelMessage) => void>} */
  #listeners = new Set();

  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.days = new Days(new Table());
    this.states = new Uint8Array();
    /** Whether not all states are the same. */
    this.mixed = false;
    /** What the list's entries consist of, in a word: uploads only once all of them are. */
    this.noun = "profile";
    /** @type {DataView | null} the comparison's card, deflated */
    this.card = null;
    /** @type {Map<number, boolean>} entries whose choice the kernel has not confirmed yet: whether they shall be chosen */
    this.pending = new Map();
    /** @type {Map<number, number>} the message that asked for it */
    this.asked = new Map();
    /** How often that changed. */
    this.turn = 0;
    /** @type {{ chosen: import("./types.js").Chosen[] | null, days: Days, entries: number[] }} */
    this.read = { chosen: null, days: this.days, entries: [] };
    this.watch = new KernelWatch(
      () => kernelStatus(model.widget_manager), this.#changed, undefined, () => askKernel(model.widget_manager),
    );
    model.on("change:rows", this.#readRows);
    model.on("change:states", this.#readStates);
    model.on("change:card", this.#readCard);
    model.on("change", this.#changed);
    model.on("msg:custom", this.#hear);
    model.on("comm_live_update", this.#knock);
    this.#readRows();
    this.#readStates();
    this.#readCard();
    this.clock = setInterval(() => document.visibilityState === "visible" && this.watch.check(), CHECK_MS);
    this.#knock();
  }

  close() {
    clearInterval(this.clock);
    this.#followers.clear();
    this.#listeners.clear();
  }

  /** @type {PartName[]} */
  get parts() {
    return this.model.get("parts");
  }

  /** Whether a dashboard's visitor sees the panel, and not the kernel's owner. */
  get visited() {
    return /** @type {boolean} */ (this.model.get("visited"));
  }

  /**
   * @template {PartName} P
   * @param {P} part
   * @returns {import("./types.js").Facts[P]}
   */
  facts(part) {
    return this.model.get(`${part}_facts`);
  }

  /** @param {PartName} part what went wrong in its last action, in words */
  failure(part) {
    return /** @type {string} */ (this.model.get("failures")[part] ?? "");
  }

  /**
   * All that a part shows: the part has to be drawn again when one of these is another.
   * @param {PartName} part
   * @returns {unknown[]}
   */
  shown(part) {
    const common = [this.facts(part), this.failure(part)];
    if (part === "picker") return [...common, this.days, this.states, this.turn];
    return part === "result" ? [...common, this.card] : common;
  }

  /**
   * Ask the kernel for something. What a person types goes this way only, and a secret as a buffer: it is in no
   * widget's state, and kernels log what messages say and not what their buffers hold.
   * @param {PartName} part
   * @param {string} name
   * @param {object} [content]
   * @param {ArrayBuffer[]} [buffers]
   * @returns {number} the message's number, which comes back when it is handled
   */
  send(part, name, content = {}, buffers) {
    serial += 1;
    const id = serial;
    this.watch.sent(id);
    try {
      this.model.send({ part, do: name, message: id, ...content }, undefined, buffers);
    } catch {
      this.watch.failed(); // the kernel's end of the wire is gone
    }
    return id;
  }

  /** @param {() => void} follower called after every change */
  follow(follower) {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** @param {(message: KernelMessage) => void} listener called with every message of the kernel */
  listen(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Choose an entry or let it go, and show it before the kernel has answered.
   * @param {number} entry
   */
  toggle(entry) {
    const wanted = !this.isChosen(entry);
    const number = this.days.table.number[this.days.first(entry)];
    this.#expect(entry, wanted, this.send("picker", wanted ? "choose" : "release", { number }));
    this.#changed();
  }

  /** @param {number} entry @param {boolean} wanted @param {number} asked */
  #expect(entry, wanted, asked) {
    this.pending.set(entry, wanted);
    this.asked.set(entry, asked);
    this.turn += 1;
  }

  /**
   * Choose an entry instead of another.
   * @param {number} entry
   * @param {number} place of the one that goes, from 0
   */
  replace(entry, place) {
    const number = this.days.table.number[this.days.first(entry)];
    const old = this.chosen[place];
    const asked = this.send("picker", "replace", { number, place });
    if (old !== undefined) this.#expect(old, false, asked);
    this.#expect(entry, true, asked);
    this.#changed();
  }

  /** @param {number} entry */
  isChosen(entry) {
    return this.pending.get(entry) ?? this.place(entry) > 0;
  }

  /** The entries that the kernel says are chosen, in their order. */
  get chosen() {
    const { chosen } = this.facts("picker");
    if (this.read.chosen !== chosen || this.read.days !== this.days) {
      this.read = { chosen, days: this.days, entries: chosen.map((one) => this.days.entryOfNumber(one.number)) };
    }
    return this.read.entries;
  }

  /** @param {number} entry 1 to 3, or 0 if it is not chosen */
  place(entry) {
    return this.chosen.indexOf(entry) + 1;
  }

  /** How many entries are chosen, with what is being asked for. */
  get chosenCount() {
    const entries = new Set(this.chosen);
    for (const [entry, wanted] of this.pending) wanted ? entries.add(entry) : entries.delete(entry);
    return entries.size;
  }

  #readRows = () => {
    const view = this.model.get("rows");
    if (!view) return; // read and dropped before
    this.days = new Days(new Table(view));
    this.pending.clear();
    this.asked.clear();
    // Else the first key in the filter would wait until all texts are in lower case and the loops are compiled.
    const { days } = this;
    (globalThis.requestIdleCallback ?? setTimeout)(() => days.filtered(new Uint32Array(), WARM_UP, this.states));
    if (view.byteLength > MAX_SAVED_BYTES) this.model.set("rows", null);
  };

  #readStates = () => {
    const view = this.model.get("states");
    if (!view) return;
    this.states = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
    this.mixed = areMixed(this.states);
    this.noun = !this.mixed && STATES[this.states[0]] === "uploaded" ? "upload" : "profile";
    if (view.byteLength > MAX_SAVED_BYTES) this.model.set("states", null);
  };

  #readCard = () => {
    const view = this.model.get("card");
    if (!view) return;
    this.card = view.byteLength ? view : null;
    if (view.byteLength > MAX_SAVED_CARD_BYTES) this.model.set("card", null);
  };

  #changed = () => {
    for (const follower of this.#followers) follower();
  };

  // A wire to the kernel that opens or closes says nothing of which: ask.
  #knock = () => {
    this.watch.check();
    if (this.parts?.length) this.send(this.parts[0], "ping");
  };

  /** @param {KernelMessage} message */
  #hear = (message) => {
    const { ack } = message;
    if (ack !== undefined) {
      this.watch.acknowledged(ack);
      for (const [entry, asked] of this.asked) {
        if (asked > ack) continue;
        this.asked.delete(entry);
        this.pending.delete(entry);
        this.turn += 1;
      }
      this.#changed();
      return;
    }
    for (const listener of this.#listeners) listener(message);
  };
}
