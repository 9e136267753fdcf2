/** All parts of a panel, or some of them: in two columns where there is room, in one in a narrow cell. */

import { h } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { icon, isDark, keepFocus, useStore, watchTheme } from "./dom.js";
import { FailureLine } from "./failure.js";
import { AddPart } from "./parts/add.js";
import { ClaimPart } from "./parts/claim.js";
import { DeletePart, hasNothingToDelete } from "./parts/delete.js";
import { LinkPart } from "./parts/link.js";
import { PickerPart } from "./parts/picker.js";
import { ResultPart } from "./parts/result.js";
import { SessionPart } from "./parts/session.js";
import { UploadPart } from "./parts/upload.js";

/** @typedef {import("./types.js").PartName} PartName */
/** @typedef {import("./store.js").Store} Store */

/** @type {Record<PartName, { view: import("preact").FunctionComponent<any>, label: string, isEmpty?: (store: Store) => boolean }>} */
const PARTS = {
  session: { view: SessionPart, label: "Songbird session" },
  add: { view: AddPart, label: "Add profiles" },
  picker: { view: PickerPart, label: "Profiles of the session" },
  upload: { view: UploadPart, label: "Upload" },
  link: { view: LinkPart, label: "Observatory links" },
  result: { view: ResultPart, label: "Comparison of what is chosen" },
  claim: { view: ClaimPart, label: "Claim the session" },
  delete: { view: DeletePart, label: "Delete profiles or the session", isEmpty: hasNothingToDelete },
};
/** @type {PartName[][]} */
const COLUMNS = [["add", "picker"], ["upload", "link", "claim", "delete"]];

/** @param {{ store: Store }} props */
export function Panel({ store }) {
  useStore(store);
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [dark, setDark] = useState(isDark);
  useEffect(() => watchTheme(setDark), []);
  useLayoutEffect(() => (root.current ? keepFocus(root.current) : undefined), []);
  const { take, over, ...drop } = useDrop(store.parts.includes("add"));

  const theme = dark ? "dark" : "light";
  const gone = store.watch.presence === "gone";
  /** @param {PartName} part */
  const section = (part) => h(Section, { key: part, store, part, theme, gone, over: part === "add" && over, onReady: take });
  const has = (/** @type {PartName} */ part) => store.parts.includes(part) && !PARTS[part].isEmpty?.(store);
  const columns = COLUMNS.map((parts) => parts.filter(has)).filter((parts) => parts.length);
  return h(
    "div",
    { class: "songbird-panel", ref: root, "data-kernel": store.watch.presence, ...drop },
    h(KernelLine, { store, theme }),
    has("session") && section("session"),
    columns.length > 0 && h("div", { class: "songbird-columns" }, columns.map((parts) => h("div", { class: "songbird-column", key: parts[0] }, parts.map(section)))),
    has("result") && section("result"),
  );
}

/**
 * One part. Most changes concern one or two of them: the others keep what they have drawn.
 * @param {{ store: Store, part: PartName, theme: string, gone: boolean, over: boolean, onReady: (take: (files: Iterable<File>) => unknown) => void }} props
 */
function Section({ store, part, theme, gone, over, onReady }) {
  const { view, label } = PARTS[part];
  const body = useMemo(
    () => h("div", { class: "sb-body" }, h(view, { store, onReady }), part !== "picker" && h(FailureLine, { store, part })),
    store.shown(part),
  );
  // A group rather than a region: several panels of a page would be landmarks of the same names. Their headings are of
  // the second level, which skips none wherever the page has them.
  return h("section", { class: `songbird songbird-${part}`, role: "group", tabIndex: -1, "aria-label": label, "data-theme": theme, "data-over": over, inert: gone }, body);
}

/** Says that nothing can be done here, and what to do. @param {{ store: Store, theme: string }} props */
function KernelLine({ store, theme }) {
  const { presence } = store.watch;
  if (presence === "there") return null;
  const again = store.visited
    ? "Reload the page to begin anew."
    : `Run the notebook’s cells again (Run → Run All Cells); what was uploaded is kept${store.parts.includes("session") ? ", under “Another session”" : ""}.`;
  const words =
    presence === "busy"
      ? "The kernel is running a cell: what you did here waits until it is done."
      : `This panel has no kernel any more, so nothing in it works or is kept up to date. ${again}`;
  return h("div", { class: "songbird sb-kernel", role: "alert", "data-theme": theme }, icon(presence === "busy" ? "info" : "warning"), h("span", {}, words));
}

/**
 * Files may be dropped anywhere on the panel.
 * @param {boolean} able
 */
function useDrop(able) {
  const [over, setOver] = useState(false);
  const taking = useRef(/** @type {(files: Iterable<File>) => unknown} */ (() => {}));
  const depth = useRef(0); // dragenter and dragleave come for every child too
  return useMemo(() => {
    /** @param {DragEvent} event */
    const holdsFiles = (event) => able && [...(event.dataTransfer?.types ?? [])].includes("Files");
    /** @param {number} change */
    const step = (change) => {
      depth.current = Math.max(0, depth.current + change);
      setOver(depth.current > 0);
    };
    return {
      take: (/** @type {(files: Iterable<File>) => unknown} */ take) => (taking.current = take),
      over,
      onDragEnter: (/** @type {DragEvent} */ event) => holdsFiles(event) && (event.preventDefault(), step(1)),
      onDragLeave: (/** @type {DragEvent} */ event) => holdsFiles(event) && step(-1),
      onDragOver: (/** @type {DragEvent} */ event) => holdsFiles(event) && (event.preventDefault(), event.stopPropagation()),
      onDrop: (/** @type {DragEvent} */ event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        event.stopPropagation(); // the notebook would take it too
        depth.current = 0;
        setOver(false);
        taking.current(event.dataTransfer?.files ?? []);
      },
    };
  }, [able, over]);
}

