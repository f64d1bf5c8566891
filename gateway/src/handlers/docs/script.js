"use strict";
const $ = id => document.getElementById(id);

/** An element with attributes and children; text is never read as HTML. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child !== undefined && child !== null));
  return element;
}

let api;

const resolve = schema => schema && schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;

/** A schema as people read it: field, type, what it is. */
function shape(schema, indent = "", seen = []) {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  if (name && seen.includes(name)) return name;
  if (name) seen = [...seen, name];
  schema = resolve(schema) || {};
  if (schema.allOf) return schema.allOf.map(part => shape(part, indent, seen)).join(" and ");
  const either = schema.oneOf || schema.anyOf;
  if (either) return either.map(part => shape(part, indent, seen)).join(" or ");
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(" | ");
  const types = [schema.type].flat().filter(Boolean);
  if (types.includes("array")) return "[" + shape(schema.items, indent, seen) + "]" + (types.includes("null") ? " | null" : "");
  if (schema.properties) {
    const deeper = indent + "  ";
    const lines = Object.entries(schema.properties).map(([key, value]) => {
      const about = (value.description || "").replace(/\s+/g, " ");
      const optional = (schema.required || []).includes(key) ? "" : "?";
      return deeper + key + optional + ": " + shape(value, deeper, seen) + (about ? "  // " + about : "");
    });
    return "{\n" + lines.join("\n") + "\n" + indent + "}";
  }
  return (types.join(" | ") || "anything") + (schema.format ? " (" + schema.format + ")" : "");
}

/** A value to begin with. */
function example(schema, depth = 0) {
  schema = resolve(schema) || {};
  if (depth > 6) return null;
  const either = (schema.oneOf || schema.anyOf || []).find(part => part.type !== "null");
  if (either) return example(either, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(part => example(part, depth + 1)));
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat()[0];
  if (type === "array") return [example(schema.items, depth + 1)];
  if (schema.properties) {
    const required = Object.entries(schema.properties).filter(([key]) => (schema.required || []).includes(key));
    return Object.fromEntries(required.map(([key, value]) => [key, example(value, depth + 1)]));
  }
  if (type === "integer" || type === "number") return schema.minimum || 0;
  if (type === "boolean") return false;
  if (schema.format === "uuid") return "00000000-0000-0000-0000-000000000000";
  return type === "string" ? "" : {};
}

function field(parameter) {
  const schema = parameter.schema || {};
  const input = schema.enum
    ? make("select", { name: parameter.name }, make("option", { value: "" }), ...schema.enum.map(value => make("option", {}, value)))
    : make("input", { name: parameter.name, placeholder: schema.format || schema.type, autocomplete: "off" });
  input.dataset.in = parameter.in;
  const about = [parameter.in, parameter.required ? "required" : "", parameter.description].filter(Boolean).join(", ");
  return make("label", {}, make("code", {}, parameter.name), " " + about, input);
}

async function send(form, method, path, output) {
  const headers = {}, query = new URLSearchParams();
  for (const input of form.querySelectorAll("[data-in]")) {
    if (input.dataset.in === "path") path = path.replace("{" + input.name + "}", encodeURIComponent(input.value || "-"));
    else if (input.value && input.dataset.in === "query") query.append(input.name, input.value);
    else if (input.value) headers[input.name] = input.value;
  }
  if ($("token").value) headers.Authorization = "Bearer " + $("token").value.trim();
  const body = form.querySelector("textarea");
  if (body) headers["Content-Type"] = body.dataset.media;
  const url = path + (query.size ? "?" + query : "");
  output.hidden = false;
  output.textContent = method + " " + url + " …";
  try {
    const started = performance.now();
    const response = await fetch(url, { method, headers, body: body ? body.value : undefined });
    let text = await response.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Not JSON: as it is. */ }
    const took = Math.round(performance.now() - started);
    const kept = [...response.headers].map(([name, value]) => name + ": " + value).join("\n");
    output.textContent = method + " " + url + "\n" + response.status + " in " + took + " ms\n" + kept + "\n\n" + text;
  } catch (error) {
    output.textContent = method + " " + url + "\n" + error;
  }
}

function fill(place, method, path, operation) {
  const bodies = Object.entries((operation.requestBody || {}).content || {});
  const form = make("form", {});
  form.append(...(operation.parameters || []).map(field));
  for (const [media, { schema }] of bodies) {
    const text = make("textarea", { spellcheck: "false" });
    text.dataset.media = media;
    text.value = media === "application/json" ? JSON.stringify(example(schema), null, 2) : "";
    form.append(make("label", {}, "Body, " + media, text));
  }
  const output = make("pre", { hidden: "", tabindex: "0" });
  form.append(make("div", {}, make("button", {}, "Send")), output);
  form.addEventListener("submit", event => {
    event.preventDefault();
    send(form, method, path, output);
  });
  for (const [, { schema }] of bodies) {
    if (schema) place.append(make("h3", {}, "Takes"), make("pre", { tabindex: "0" }, shape(schema)));
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    const [media, content] = Object.entries(response.content || {})[0] || [];
    place.append(make("h3", {}, status + " ", make("small", {}, [response.description, media].filter(Boolean).join(" – "))));
    if (content && status < "300") place.append(make("pre", { tabindex: "0" }, shape(content.schema)));
  }
  place.append(make("h3", {}, "Try it"), form);
}

function entry(method, path, operation) {
  const place = make("div", {});
  const open = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("b", { class: method }, method), make("code", {}, path),
      make("span", { class: "soft" }, operation.summary + (operation.description ? " " + operation.description : ""))), place);
  open.dataset.words = [method, path, operation.summary, ...operation.tags].join(" ").toLowerCase();
  // Filled when it is looked at: most never are.
  open.addEventListener("toggle", () => { if (open.open && !place.hasChildNodes()) fill(place, method, path, operation); });
  return open;
}

function narrow() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const group of document.querySelectorAll("section")) {
    let shown = 0;
    for (const operation of group.querySelectorAll(".operation")) {
      operation.hidden = !words.every(word => operation.dataset.words.includes(word));
      shown += !operation.hidden;
    }
    group.hidden = shown === 0;
  }
}

async function start() {
  const response = await fetch("openapi.json");
  api = await response.json();
  $("version").textContent = api.info.version;
  $("about").textContent = api.info.description;
  const all = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })));
  $("main").replaceChildren(...api.tags.map((tag, number) => {
    const own = all.filter(({ operation }) => operation.tags.includes(tag.name));
    $("groups").append(make("a", { href: "#group-" + number }, tag.name + " (" + own.length + ")"));
    return make("section", { id: "group-" + number }, make("h2", {}, tag.name, " ", make("small", {}, tag.description)),
      ...own.map(({ method, path, operation }) => entry(method, path, operation)));
  }));
  $("search").addEventListener("input", narrow);
  $("token").value = sessionStorage.getItem("token") || "";
  $("token").addEventListener("input", () => sessionStorage.setItem("token", $("token").value));
  const wanted = document.getElementById(location.hash.slice(1));
  if (wanted && wanted.matches("details")) wanted.open = true;
}

start().catch(error => { $("main").textContent = "The document cannot be shown: " + error; });
