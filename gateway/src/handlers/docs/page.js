// The page: groups of operations, each filled when it is opened, and the way to one of them.

const $ = id => document.getElementById(id);

/** An element with attributes and children; text is never read as HTML. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== undefined && child !== null));
  return element;
}

const code = text => make("pre", { tabindex: "0" }, text);

/** A text in which backticks mean code. */
const rich = text => text.split("`").map((part, place) => place % 2 ? make("code", {}, part) : part);

/** An answer in one line. What many routes refuse stands at the top of the page. */
function answer([status, { description, content = {} }]) {
  const [json] = Object.entries(content).filter(([media]) => media === JSON_TYPE);
  const about = [description, Object.keys(content).join(", ")].filter(Boolean).join(" – ");
  const line = make("h4", {}, status + " ", make("small", {}, about));
  return json && status < "300" ? [line, code(shape(json[1].schema))] : [line];
}

function fill(place, method, path, operation) {
  const bodies = Object.entries((operation.requestBody || {}).content || {});
  const form = make("form", {}, ...operation.parameters.map(parameter), ...bodies.flatMap(body));
  const output = make("div", { class: "output", hidden: true, role: "status" });
  form.append(make("div", {}, make("button", {}, "Send")), output);
  form.addEventListener("submit", event => {
    event.preventDefault();
    send(form, method, path, output);
  });
  const all = Object.entries(operation.responses), own = all.filter(([, response]) => !response.$ref);
  const shared = all.filter(([, response]) => response.$ref).map(([status]) => status).join(", ");
  place.append(make("h3", {}, "Try it"), form,
    make("h3", {}, "Answers"), ...own.filter(([status]) => status < "400").flatMap(answer),
    make("h3", {}, "Refusals"), ...own.filter(([status]) => status >= "400").flatMap(answer),
    make("p", { class: "soft" }, "As of many routes: ", make("a", { href: "#refusals" }, shared), "."));
}

/** What somebody may look for to find an operation. */
function words(method, path, operation) {
  const bodies = Object.values((operation.requestBody || {}).content || {});
  const inputs = [
    ...operation.parameters.map(({ name, description }) => [name, description]),
    ...bodies.flatMap(({ schema }) => fields(whole(schema)).map(([name, part]) => [name, about(part)])),
  ];
  return [method, path, operation.operationId, operation.summary, ...operation.tags, ...inputs.flat()].join(" ").toLowerCase();
}

function entry({ method, path, operation }) {
  const place = make("div", {});
  const text = [operation.summary, operation.description].filter(Boolean).join(" ");
  const open = make("details", { class: "operation", id: operation.operationId, "data-words": words(method, path, operation) },
    make("summary", {}, make("b", { class: method }, method), make("code", {}, path),
      make("span", { class: "soft" }, ...rich(text))), place);
  // Filled when it is looked at: most never are.
  open.addEventListener("toggle", () => {
    if (!open.open) return;
    if (!place.hasChildNodes()) fill(place, method, path, operation);
    history.replaceState(null, "", "#" + open.id);
  });
  return open;
}

/** Shows what has all words of the search, and the groups that have any of that. */
function narrow() {
  const text = $("search").value.trim(), wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of document.querySelectorAll("section[data-group]")) {
    let own = 0;
    for (const operation of group.querySelectorAll(".operation")) {
      operation.hidden = !wanted.every(word => operation.dataset.words.includes(word));
      own += !operation.hidden;
    }
    group.hidden = own === 0;
    document.querySelector(`nav a[href="#${group.id}"]`).hidden = own === 0;
    found += own;
  }
  $("refusals").hidden = wanted.length > 0;
  $("nothing").hidden = found > 0;
  $("nothing").textContent = "No operation has “" + text + "” in its path, its texts or its parameters.";
}

/** Goes to what the address names, and opens it where it is an operation. */
function visit() {
  const wanted = $(location.hash.slice(1));
  if (!wanted) return;
  if (!wanted.checkVisibility()) {
    $("search").value = "";
    narrow();
  }
  if (!wanted.matches("details:not([open])")) return wanted.scrollIntoView();
  // Filled by then: the page is long enough to go there.
  wanted.addEventListener("toggle", () => wanted.scrollIntoView(), { once: true });
  wanted.open = true;
}

/** What many routes refuse, by status. */
function refusals() {
  const all = Object.values(api.components.responses).sort((one, other) => one["x-status"] - other["x-status"]);
  const lines = all.flatMap(response => {
    const [codes, text] = response.description.split(/: (.*)/);
    return [make("dt", {}, response["x-status"] + " ", make("code", {}, codes)), make("dd", {}, ...rich(text))];
  });
  return make("details", { id: "refusals" }, make("summary", {}, make("b", {}, "Refusals of many routes"),
    make("span", { class: "soft" }, "Said here once. The body of every refusal is below.")),
    make("div", {}, make("dl", {}, ...lines), code(shape({ $ref: "#/components/schemas/ErrorBody" }))));
}

async function start() {
  const response = await fetch("openapi.json");
  api = await response.json();
  $("version").textContent = api.info.version;
  $("about").replaceChildren(...rich(api.info.description));
  const all = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })));
  $("main").replaceChildren(refusals(), ...api.tags.map((tag, number) => {
    const id = "group-" + number, own = all.filter(({ operation }) => operation.tags.includes(tag.name));
    $("groups").append(make("a", { href: "#" + id }, tag.name + " (" + own.length + ")"));
    const head = make("h2", {}, tag.name, " ", make("small", {}, tag.description));
    return make("section", { id, "data-group": "" }, head, ...own.map(entry));
  }));
  $("search").addEventListener("input", narrow);
  $("token").value = sessionStorage.getItem("token") || "";
  $("token").addEventListener("input", () => sessionStorage.setItem("token", $("token").value));
  addEventListener("hashchange", visit);
  visit();
}

start().catch(error => { $("main").textContent = "The document cannot be shown: " + error; });
