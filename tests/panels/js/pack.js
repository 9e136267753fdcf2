/** Rows as `songbird_widgets/panels/rows.py` packs them. */

const UNKNOWN = 2 ** 32 - 1;

/**
 * @param {{ label?: string, name?: string, when?: number, number?: number, size?: number, rows?: number, columns?: number, reference?: boolean }[]} profiles
 * @param {number} shift bytes before the view, as a message's buffer may have
 */
export function pack(profiles, shift = 3) {
  const of = (Type, values) => new Uint8Array(Type.from(values).buffer);
  let end = 0;
  const ends = profiles.flatMap(({ label = "", name = "" }) => [(end += label.length), (end += name.length)]);
  const parts = [
    of(Uint32Array, [profiles.length, 0]),
    of(Float64Array, profiles.map((one) => one.when ?? NaN)),
    of(Uint32Array, profiles.map((one, i) => one.number ?? i)),
    ...["size", "rows", "columns"].map((column) => of(Uint32Array, profiles.map((one) => one[column] ?? UNKNOWN))),
    of(Uint32Array, ends.filter((_, i) => i % 2 === 0)),
    of(Uint32Array, ends.filter((_, i) => i % 2 === 1)),
    of(Uint8Array, profiles.map((one) => Number(one.reference ?? false))),
    new TextEncoder().encode(profiles.map(({ label = "", name = "" }) => label + name).join("")),
  ];
  const bytes = new Uint8Array(shift + parts.reduce((sum, part) => sum + part.length, 0));
  let at = shift;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new DataView(bytes.buffer, shift);
}
