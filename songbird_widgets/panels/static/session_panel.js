const LOOK_MS = 10_000;
const PRESENT_MS = 60_000;

/** The first line of a message, and the rest for those who ask. */
function folded(text) {
  const [first, ...rest] = text.split("\n");
  if (rest.length < 2) return h("span", { dir: "auto" }, [first, ...rest.map((line) => line.trim())].join(" "));
  return h("details", {}, h("summary", { dir: "auto" }, first), h("div", { dir: "auto" }, rest.join("\n")));
}

function render({ model, el }) {
  const panel = mount({ model, el }, "session", "Songbird session");
  const state = h("span", { class: "sb-state", role: "status" });
  const id = button(
    "",
    { class: "sb-id", title: "Copy the session id: whoever has it can see the session and add to it" },
    () => model.send({ do: "identify" }),
  );
  const endpoint = h("span", { class: "sb-endpoint", dir: "ltr" });
  const refresh = button(
    "",
    { class: "sb-plain", "aria-label": "Ask the endpoint again", title: "Ask the endpoint again" },
    () => model.send({ do: "refresh" }),
    "refresh",
  );
  const notice = h("div", { class: "sb-notice" });

  // ---- another session -------------------------------------------------------------------------
  const earlier = h("ul", { class: "sb-earlier", "aria-label": "Earlier sessions" });
  const field = (words, placeholder) => h("input", { type: "text", "aria-label": words, placeholder, spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
  // An id opens its session to whoever has it: it goes to the kernel in one message, and the field is emptied.
  const [idField, endpointField] = [field("Session id", "session id, or empty for a new one"), field("Endpoint", "endpoint, or empty for the default")];
  const form = h("form", { class: "sb-form sb-open" }, idField, endpointField, button("Open", { type: "submit" }, () => {}));
  const other = h(
    "details",
    { class: "sb-other" },
    h("summary", {}, "Another session"),
    h("div", { class: "sb-inside" }, h("p", { class: "sb-quiet" }, "What was not sent yet comes along. This session stays as it is, and is among the earlier ones."), earlier, form),
  );
  other.addEventListener("toggle", () => other.open && model.send({ do: "recall" }));
  sendOnEnter(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    model.send({ do: "open", endpoint: endpointField.value }, undefined, sealed(idField.value));
    idField.value = "";
    other.open = false;
  });
  const goOn = (one, place) => {
    const word = one.unfinished && one.state === "open" ? "Finish" : "Continue";
    return button(word, { class: "sb-small", "aria-label": `${word} ${one.id}` }, () => {
      model.send({ do: "continue", place });
      other.open = false;
    });
  };
  const when = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
  panel.hear((message) => {
    if (!message.earlier) return;
    earlier.replaceChildren(
      ...message.earlier.map((one, place) =>
        h(
          "li",
          {},
          h("span", { class: "sb-mono" }, one.id),
          h(
            "span",
            { class: "sb-quiet" },
            [when.format(one.used), one.endpoint, many(one.profiles, "profile"), one.unfinished && `${number.format(one.unfinished)} not sent`, one.state !== "open" && one.state]
              .filter(Boolean)
              .join(" · "),
          ),
          one.id === model.get("facts").id
            ? h("span", { class: "sb-quiet" }, "shown")
            : goOn(one, place),
        ),
      ),
    );
    if (!message.earlier.length) earlier.append(h("li", { class: "sb-quiet" }, "There are no earlier sessions."));
  });
  panel.body.append(
    h(
      "div",
      { class: "sb-line" },
      h("span", { class: "sb-dot", "aria-hidden": "true" }),
      h("strong", { class: "sb-title" }, "Songbird session"),
      id,
      state,
      h("span", { class: "sb-where" }, endpoint, refresh),
    ),
    notice,
    other,
  );
  panel.follow("facts", () => {
    const facts = model.get("facts");
    panel.root.dataset.state = facts.state;
    id.textContent = facts.id ?? "";
    id.setAttribute("aria-label", `Copy the id of session ${facts.id}`);
    id.hidden = !facts.id;
    if (state.textContent !== facts.words) state.textContent = facts.words;
    endpoint.textContent = facts.endpoint;
    endpoint.title = facts.endpoint;
    refresh.disabled = facts.busy;
    other.hidden = facts.visited;
    fill(notice, JSON.stringify(facts.notice), () =>
      facts.notice?.text && [facts.notice.level === "info" ? null : icon("warning"), folded(facts.notice.text)],
    );
    notice.hidden = !facts.notice?.text;
    notice.dataset.level = facts.notice?.level ?? "";
    notice.setAttribute("role", facts.notice?.level === "error" ? "alert" : "status");
  });
  panel.hear(async (message) => {
    if (!message.id) return;
    const short = id.textContent;
    id.textContent = (await copyText(message.id, panel.root)) ? "copied" : "not copied";
    setTimeout(() => { id.textContent = short; }, 1400);
  });

  // What whylogs or another kernel uploaded shows by itself, while somebody is here: a panel that is only open must
  // not keep an idle kernel from being culled.
  const here = new AbortController();
  let moved = performance.now();
  for (const event of ["pointermove", "keydown"]) {
    document.addEventListener(event, () => { moved = performance.now(); }, { signal: here.signal, passive: true, capture: true });
  }
  const look = () => {
    const visible = document.visibilityState === "visible" && panel.root.getClientRects().length > 0;
    if (visible && performance.now() - moved < PRESENT_MS) model.send({ do: "look" });
  };
  document.addEventListener("visibilitychange", look, { signal: here.signal });
  const clock = setInterval(look, LOOK_MS);
  return () => {
    clearInterval(clock);
    here.abort();
    panel.cleanup();
  };
}

export default { render };
