/** The comparison's card: static HTML that the kernel sends deflated. */

const LEADS = new Set(["href", "src", "srcset", "srcdoc", "xlink:href", "action", "formaction", "data", "style"]);
const RUNS = "script, iframe, frame, object, embed, base, link, meta, form, input, button, template";

/**
 * Inflate what the trait holds.
 * @param {DataView} view
 */
export async function inflated(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

/**
 * The nodes of some HTML. It is escaped where it was made; all the same nothing of it runs, and nothing leads elsewhere.
 * @param {string} html
 */
export function inertNodes(html) {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const element of body.querySelectorAll(RUNS)) element.remove();
  for (const element of body.querySelectorAll("*")) {
    for (const { name } of [...element.attributes]) {
      if (name.startsWith("on") || LEADS.has(name.toLowerCase())) element.removeAttribute(name);
    }
    // Else the notebook takes the keys that scroll or unfold.
    if (element.matches("summary, [tabindex]")) element.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  return [...body.childNodes];
}
