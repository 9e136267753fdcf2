// Small conveniences on pages that work without them: nothing here fetches, nothing leaves the page.

const root = document.documentElement;
const THEME = "songbird-observatory-theme";

function stored() {
  try { return localStorage.getItem(THEME); } catch { return null; } // storage may be forbidden, as in some iframes
}

const wanted = stored();
if (!root.dataset.theme && (wanted === "light" || wanted === "dark")) root.dataset.theme = wanted;

function dark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function themeSwitch(button) {
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem(THEME, root.dataset.theme); } catch { /* shown, if not remembered */ }
    label();
  });
}

// A select that means "go there" goes when it changes; its button is only needed without scripts. Arrow keys walk
// through a closed select's options, so a change by keyboard waits for Enter or for leaving the field.
function goOnChange(select) {
  const form = select.form;
  const button = form.querySelector("button:not([type=button])");
  button.hidden = true;
  let byKey = false;
  select.addEventListener("keydown", (event) => {
    byKey = true;
    if (event.key === "Enter" && select.value) form.requestSubmit();
  });
  select.addEventListener("pointerdown", () => { byKey = false; });
  select.addEventListener("change", () => {
    if (!select.value) return;
    if (byKey) button.hidden = false;
    else form.requestSubmit();
  });
}

// Boxes beyond the limit cannot be ticked: the page shows three profiles at most.
function limitChoice(form) {
  const most = Number(form.dataset.choose);
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const said = form.querySelector("[data-chosen]");
  const button = form.querySelector("button");
  const look = () => {
    const chosen = boxes.filter((box) => box.checked);
    for (const box of boxes) box.disabled = !box.checked && chosen.length >= most;
    button.disabled = chosen.length === 0;
    if (chosen.length) said.textContent = `${chosen.length} of ${most} chosen`;
  };
  form.addEventListener("change", look);
  look();
}

// A chart as a picture: the service's own SVG file, painted at twice its size.
function pngButton(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth * 2;
      canvas.height = image.naturalHeight * 2;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = `${document.querySelector("h1").textContent.replace(/[^\w.-]+/g, "-") || "chart"}.png`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      });
    });
    image.src = button.dataset.png;
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-theme-switch]").forEach(themeSwitch);
  document.querySelectorAll("select[data-submit]").forEach(goOnChange);
  document.querySelectorAll("form[data-choose]").forEach(limitChoice);
  document.querySelectorAll("[data-png]").forEach(pngButton);
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
});

document.addEventListener("keydown", (event) => {
  const search = document.getElementById("q");
  if (event.key !== "/" || !search || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) return;
  event.preventDefault();
  search.focus();
  search.select();
});
