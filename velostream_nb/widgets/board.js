// HTML from the kernel, patched into place: nodes that stay keep hover, focus, scroll and selection.
const same = (a, b) =>
  a.nodeType === b.nodeType && a.nodeName === b.nodeName &&
  (a.nodeType !== 1 || a.dataset.key === b.dataset.key);

function attributes(have, want) {
  for (const { name } of [...have.attributes]) if (!want.hasAttribute(name)) have.removeAttribute(name);
  for (const { name, value } of want.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
}

function patch(parent, wanted) {
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.nodeType === 1 && node.dataset.key) keyed.set(node.dataset.key, node);
  let at = parent.firstChild;
  for (const want of [...wanted.childNodes]) {
    let have = null;
    if (want.nodeType === 1 && want.dataset.key) have = keyed.get(want.dataset.key) ?? null;
    else if (at && same(at, want)) have = at;
    if (!have) { parent.insertBefore(want, at); continue; }
    if (have === at) at = at.nextSibling; else parent.insertBefore(have, at);
    if (have.nodeType !== 1) { if (have.data !== want.data) have.data = want.data; continue; }
    attributes(have, want);
    patch(have, want);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function render({ model, el }) {
  el.classList.add("velo", "velo-board");
  const body = document.createElement("div");
  const strip = document.createElement("div");
  body.className = "velo-body";
  strip.className = "velo-fault";
  strip.setAttribute("role", "status");
  el.append(strip, body);

  const draw = () => {
    const template = document.createElement("template");
    template.innerHTML = model.get("html");
    patch(body, template.content);
  };
  const fault = () => { strip.textContent = model.get("fault"); strip.hidden = !model.get("fault"); };
  const title = () => {
    if (document.body.dataset.voila === undefined || !model.get("title")) return;
    document.title = model.get("title");
  };
  const act = (event) => {
    const node = event.target.closest("[data-act]");
    if (!node || !body.contains(node)) return;
    if (event.type === "click" && node.tagName === "SELECT") return;
    if (event.type === "change" && node.tagName !== "SELECT") return;
    if (event.type === "keydown") {
      if (node.tagName === "BUTTON" || node.tagName === "SELECT" || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
    }
    model.send({ act: node.dataset.act, arg: node.tagName === "SELECT" ? node.value : node.dataset.arg ?? "" });
  };
  const hotkey = (event) => {
    const spot = event.target;
    const free = spot === document.body || (spot.closest && spot.closest(".velo-dash") && !spot.closest("select,input"));
    const bound = model.get("hotkeys")[event.key];
    if (free && bound && !event.ctrlKey && !event.metaKey && !event.altKey) model.send({ act: bound[0], arg: bound[1] });
  };
  for (const kind of ["click", "change", "keydown"]) body.addEventListener(kind, act);
  document.addEventListener("keydown", hotkey);
  model.on("change:html", draw);
  model.on("change:fault", fault);
  model.on("change:title", title);
  draw(); fault(); title();
  return () => {
    document.removeEventListener("keydown", hotkey);
    model.off("change:html", draw);
    model.off("change:fault", fault);
    model.off("change:title", title);
  };
}
export default { render };
