/**
 * The OpenAPI 3.1 document, made from the same table that the router is made of. Shapes with an id
 * become components; everything else stands where it is used.
 */
import { z } from 'zod';
import { isRecord } from '../json-value.ts';
import { problemSchema } from './problem.ts';
import type { ReplyDoc, Route } from './route.ts';

type Json = Record<string, unknown>;

/** `server` is the path below which all of them stand; default the root. */
export function openApiDocument(routes: readonly Route[], version: string, server?: string): Json {
  const components: Json = {};
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): Json =>
    hoist(
      z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' }),
      components,
    );
  const problem = {
    'application/problem+json': { schema: schemaOf(problemSchema, 'output') },
  };
  const paths = new Map<string, Json>();
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    const operations = paths.get(path) ?? {};
    operations[route.method.toLowerCase()] = {
      operationId: operationId(route),
      summary: route.summary,
      tags: [route.tag],
      parameters: parametersOf(route, schemaOf),
      ...(route.bodyDoc === undefined
        ? {}
        : {
            requestBody: {
              required: !route.isBodyOptional,
              content: { 'application/json': { schema: schemaOf(route.bodyDoc, 'input') } },
            },
          }),
      responses: {
        ...Object.fromEntries(
          Object.entries(route.replies).map(([status, reply]) => [
            status,
            responseOf(reply, schemaOf),
          ]),
        ),
        ...Object.fromEntries(
          (route.refusals ?? []).map((status) => [
            String(status),
            { description: 'Refused; the problem document says why.', content: problem },
          ]),
        ),
        default: { description: 'Any other problem.', content: problem },
      },
    };
    paths.set(path, operations);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'cronmesh',
      version,
      description:
        'Times are epoch milliseconds. Every answer has an X-Request-Id. Refusals are problem documents (RFC 9457).',
    },
    ...(server === undefined ? {} : { servers: [{ url: server }] }),
    paths: Object.fromEntries(paths),
    components: { schemas: components },
  };
}

type ToSchema = (schema: z.ZodType, io: 'input' | 'output') => Json;

function parametersOf(route: Route, schemaOf: ToSchema): Json[] {
  return [
    ...partParameters('path', route.params, schemaOf),
    ...partParameters('query', route.query, schemaOf),
    ...(route.headers ?? []).map(({ name, description, required = false }) => ({
      name,
      in: 'header',
      description,
      required,
      schema: { type: 'string' },
    })),
  ];
}

function partParameters(
  place: 'path' | 'query',
  part: z.ZodObject | undefined,
  schemaOf: ToSchema,
): Json[] {
  if (part === undefined) return [];
  const { properties, required } = schemaOf(part, 'input');
  if (!isRecord(properties)) return [];
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || needed.includes(name),
    schema,
  }));
}

function responseOf(reply: ReplyDoc, schemaOf: ToSchema): Json {
  const { description, schema, type = 'application/json', otherTypes = [], headers } = reply;
  return {
    description,
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, text]) => [
              name,
              { description: text, schema: { type: 'string' } },
            ]),
          ),
        }),
    ...(schema === undefined
      ? {}
      : {
          content: {
            [type]: { schema: schemaOf(schema, 'output') },
            ...Object.fromEntries(
              otherTypes.map((other) => [other, { schema: { type: 'string' } }]),
            ),
          },
        }),
  };
}

/** Moves `$defs` to the components, and the references with them. */
function hoist(schema: unknown, components: Json): Json {
  const moved = rewrite(schema);
  if (!isRecord(moved)) throw new Error('a JSON schema is an object');
  const { $defs, $schema: _, ...rest } = moved;
  if (isRecord($defs)) {
    for (const [id, shape] of Object.entries($defs)) components[id] = withoutId(shape);
  }
  const { id, ...body } = rest;
  if (typeof id !== 'string') return rest;
  components[id] = body;
  return { $ref: `#/components/schemas/${id}` };
}

function withoutId(shape: unknown): unknown {
  if (!isRecord(shape)) return shape;
  const { id: _, ...body } = shape;
  return body;
}

function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      key === '$ref' && typeof part === 'string'
        ? part.replace('#/$defs/', '#/components/schemas/')
        : rewrite(part),
    ]),
  );
}

function operationId({ method, path }: Route): string {
  const words = path
    .replace('/api/v1', '')
    .split(/[/:.]+/)
    .filter((word) => word !== '');
  return [method.toLowerCase(), ...words].join('-');
}
