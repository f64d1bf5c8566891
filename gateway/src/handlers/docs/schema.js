"use strict";
// Schemas as people read them, and values that a request can begin with.

const MONTH_MS = 30 * 24 * 60 * 60 * 1000;
const DEEP = 6;

let api;

const nameOf = schema => schema.$ref && schema.$ref.split("/").pop();

/** A schema with its reference followed and its parts put together. What stands beside a reference
 * counts more than what it refers to. */
function whole(schema) {
  const { $ref, allOf, ...own } = schema || {};
  const parts = [...($ref ? [api.components.schemas[nameOf(schema)]] : []), ...(allOf || [])];
  return [...parts.map(whole), own].reduce((sum, part) => {
    const both = { ...sum, ...part };
    if (sum.properties && part.properties) {
      both.properties = { ...sum.properties, ...part.properties };
      both.required = [...(sum.required || []), ...(part.required || [])];
    }
    return both;
  }, {});
}

const alternatives = schema => schema.oneOf || schema.anyOf;
const isNull = schema => schema.type === "null";

/** What a field is for: said of it, or of the only thing that it can be. */
function about(schema) {
  const things = (alternatives(schema) || []).filter(part => !isNull(part));
  const text = schema.description || (things.length === 1 ? things[0].description : "");
  return (text || "").replace(/\s+/g, " ");
}

/** Name and schema of each field: those that are required first, in the order of their type. */
function fields(schema) {
  const required = schema.required || [], all = Object.entries(schema.properties || {});
  const place = ([key]) => required.includes(key) ? required.indexOf(key) : required.length;
  return all.sort((one, other) => place(one) - place(other));
}

/** A schema as people read it: field, type, what it is for. */
function shape(schema, indent = "", seen = []) {
  const name = nameOf(schema || {});
  if (name && seen.includes(name)) return name;
  if (name) seen = [...seen, name];
  schema = whole(schema);
  const either = alternatives(schema);
  if (either) return either.map(part => shape(part, indent, seen)).join(" | ");
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(" | ");
  const types = [schema.type].flat().filter(Boolean);
  const orNull = types.includes("null") ? " | null" : "";
  if (types.includes("array")) return "[" + shape(schema.items, indent, seen) + "]" + orNull;
  if (schema.properties) {
    const deeper = indent + "  ";
    const lines = fields(schema).map(([key, value]) => {
      const text = about(value), optional = (schema.required || []).includes(key) ? "" : "?";
      return deeper + key + optional + ": " + shape(value, deeper, seen) + (text && "  // " + text);
    });
    return "{\n" + lines.join("\n") + "\n" + indent + "}" + orNull;
  }
  return (types.join(" | ") || "anything") + (schema.format ? " (" + schema.format + ")" : "");
}

/** An object with its fields in the order of its type. */
function ordered(schema, value) {
  if (!schema.properties) return value;
  return Object.fromEntries(fields(schema).flatMap(([key]) => key in value ? [[key, value[key]]] : []));
}

/** A value to begin with: of the schema's examples, or one of its type that means nothing. Of an
 * object the fields that have to be there, and those with an example. */
function example(schema, depth = 0) {
  schema = whole(schema);
  if (schema.examples) return ordered(schema, schema.examples[0]);
  if (depth > DEEP) return null;
  const either = (alternatives(schema) || []).find(part => !isNull(part));
  if (either) return example(either, depth + 1);
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat()[0];
  if (type === "array") return [example(schema.items, depth + 1)];
  if (schema.properties) {
    const wanted = ([key, value]) => (schema.required || []).includes(key) || value.examples;
    return Object.fromEntries(fields(schema).filter(wanted).map(([key, value]) => [key, example(value, depth + 1)]));
  }
  if (type === "integer" || type === "number") return schema.minimum || 1;
  if (type === "boolean") return false;
  if (schema.format === "uuid") return "00000000-0000-4000-8000-000000000000";
  if (schema.format === "date-time") return new Date(Date.now() + MONTH_MS).toISOString();
  return type === "string" ? "text" : {};
}
