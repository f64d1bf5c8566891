// The form of an operation: what it sends, and what comes back.

const FORM = "multipart/form-data", JSON_TYPE = "application/json";

const isFile = schema => Boolean(schema.contentMediaType) || schema.format === "binary";

function parameter({ name, in: place, required, description, schema = {} }) {
  const choice = value => make("option", {}, value);
  const hint = schema.format || schema.type;
  const input = schema.enum
    ? make("select", { name, required }, make("option", { value: "" }), ...schema.enum.map(choice))
    : make("input", { name, required, placeholder: hint, autocomplete: "off" });
  input.dataset.in = place;
  return labelled(name, [place, required && "required", description], input);
}

const labelled = (name, notes, ...inputs) =>
  make("label", {}, make("code", {}, name), " ", ...rich(notes.filter(Boolean).join(", ")), ...inputs);

/** The inputs of a form's parts. */
function parts({ schema, encoding = {} }) {
  return fields(whole(schema)).map(([name, part]) => {
    const accept = encoding[name] && encoding[name].contentType;
    const required = (schema.required || []).includes(name);
    const input = make("input", isFile(part) ? { type: "file", accept, name, required } : { name, required });
    input.dataset.in = "form";
    return labelled(name, [required && "required", about(part)], input);
  });
}

/** The inputs of a body: its parts, or its text, which may come from a file where it is no JSON. */
function body([media, content]) {
  if (media === FORM) return parts(content);
  const { schema } = content, isJson = media === JSON_TYPE, start = example(schema);
  const text = make("textarea", { spellcheck: "false", "data-media": media, "aria-label": "body" });
  text.value = isJson ? JSON.stringify(start, null, 2) : start;
  text.rows = text.value.split("\n").length + 1;
  const head = make("div", { class: "soft" }, make("code", {}, "body"), " " + media);
  if (isJson) return [head, code(shape(schema)), text];
  const file = make("input", { type: "file", accept: media, "data-in": "body" });
  return [head, make("p", {}, ...rich(about(schema))), text, labelled("file", ["sent instead of the text"], file)];
}

/** What `fetch` needs of a form. */
function request(form, method, path) {
  const headers = {}, query = new URLSearchParams(), data = new FormData();
  let file;
  for (const input of form.querySelectorAll("[data-in]")) {
    const value = input.type === "file" ? input.files[0] : input.value;
    if (input.dataset.in === "path") path = path.replace("{" + input.name + "}", encodeURIComponent(value));
    else if (!value) continue;
    else if (input.dataset.in === "query") query.append(input.name, value);
    else if (input.dataset.in === "header") headers[input.name] = value;
    else if (input.dataset.in === "body") file = value;
    else data.append(input.name, value);
  }
  if ($("token").value) headers.Authorization = "Bearer " + $("token").value.trim();
  const text = form.querySelector("textarea");
  if (text) headers["Content-Type"] = text.dataset.media;
  // What a form is called only the browser knows: the name has its boundary in it.
  const body = text ? file || text.value : form.querySelector("[data-in=form]") ? data : undefined;
  return [path + (query.size ? "?" + query : ""), { method, headers, body }];
}

const dataUrl = blob => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(blob);
});

/** A body as it can be looked at: text as text, a picture as one, anything else as a download. */
async function shown(response, url) {
  const type = response.headers.get("content-type") || "", blob = await response.blob();
  if (blob.size === 0) return [];
  if (type.startsWith("image/")) return [make("img", { src: await dataUrl(blob), alt: "The answer" })];
  if (/^text\/|json/.test(type)) {
    let text = await blob.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Not JSON: as it is. */ }
    return [code(text)];
  }
  const named = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") || "");
  const name = named ? named[1] : url.split("?")[0].split("/").pop();
  const link = make("a", { href: URL.createObjectURL(blob), download: name }, "Download " + name);
  return [make("p", {}, link, ", " + blob.size.toLocaleString("en") + " bytes of " + type)];
}

async function send(form, method, template, output) {
  for (const link of output.querySelectorAll("a[download]")) URL.revokeObjectURL(link.href);
  const [url, options] = request(form, method, template);
  const head = code(method + " " + url + " …");
  output.hidden = false;
  output.replaceChildren(head);
  try {
    const started = performance.now();
    const response = await fetch(url, options);
    const body = await shown(response, url);
    const took = Math.round(performance.now() - started);
    const kept = [...response.headers].map(([name, value]) => name + ": " + value).join("\n");
    head.textContent = method + " " + url + "\n" + response.status + " in " + took + " ms\n" + kept;
    output.append(...body);
  } catch (error) {
    head.textContent = method + " " + url + "\n" + error;
  }
}
