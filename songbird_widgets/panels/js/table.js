/** The session's profiles as `panels/rows.py` packed them: typed arrays and one text, so that 100,000 rows cost little. */

export const UNKNOWN = 2 ** 32 - 1;
export const STATES = /** @type {const} */ (["added", "uploading", "uploaded", "failed"]);

/**
 * Lower the case without moving anything: some letters are longer in lower case.
 * @param {string} text
 */
export function fold(text) {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : text.replace(/[A-Z]+/g, (word) => word.toLowerCase());
}

export class Table {
  /** @type {string | null} */
  #folded = null;

  /** @param {DataView | null} [view] what the trait holds; nothing of an empty session */
  constructor(view) {
    // Typed arrays need aligned offsets, which a message's buffer does not promise.
    const data = view?.byteLength
      ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer
      : new ArrayBuffer(8);
    const [count] = new Uint32Array(data, 0, 1);
    let at = 8;
    /** @param {number} width */
    const take = (width) => {
      const from = at;
      at += width * count;
      return from;
    };
    this.count = count;
    this.when = new Float64Array(data, take(8), count);
    this.number = new Uint32Array(data, take(4), count);
    this.size = new Uint32Array(data, take(4), count);
    this.rows = new Uint32Array(data, take(4), count);
    this.columns = new Uint32Array(data, take(4), count);
    this.labelEnd = new Uint32Array(data, take(4), count);
    this.nameEnd = new Uint32Array(data, take(4), count);
    this.reference = new Uint8Array(data, take(1), count);
    this.text = new TextDecoder().decode(new Uint8Array(data, at));
  }

  /** @param {number} i */
  label(i) {
    return this.text.slice(i ? this.nameEnd[i - 1] : 0, this.labelEnd[i]);
  }

  /** @param {number} i */
  name(i) {
    return this.text.slice(this.labelEnd[i], this.nameEnd[i]);
  }

  /** @param {number} number the row of the profile that has it, or -1; mostly rows are numbered in their order */
  rowOf(number) {
    return this.number[number] === number ? number : this.number.indexOf(number);
  }

  /** All texts as filters look for them. */
  get folded() {
    return (this.#folded ??= fold(this.text));
  }

  /**
   * Mark the rows whose label or name holds a term: one pass over all texts, some milliseconds for 100,000 rows.
   * @param {string} term folded
   */
  holding(term) {
    const text = this.folded;
    const hits = new Uint8Array(this.count);
    let row = 0;
    for (let found = text.indexOf(term); found !== -1; ) {
      while (this.nameEnd[row] <= found) row += 1;
      const inside = found + term.length <= this.nameEnd[row];
      if (inside) hits[row] = 1;
      found = text.indexOf(term, inside ? this.nameEnd[row] : found + 1);
    }
    return hits;
  }
}
