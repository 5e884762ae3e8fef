/**
 * The query of a request, as the plain object that its schema judges: facets (arrays) collect their
 * repeats, anything else may come once. Text becomes a number or boolean only where the schema wants
 * one and the text is exactly that; everything else is left for the schema to refuse.
 */
import type { z } from 'zod';
import { fieldsOf, kindOf } from '../../shared/config/fields.ts';
import { CronmeshError, renderGot, type FieldProblem } from '../../shared/errors.ts';

/** Throws `request-invalid` for unknown names and repeated scalars, all together. */
export function readQuery(
  schema: z.ZodObject | undefined,
  search: string,
): Record<string, unknown> {
  const fields = schema === undefined ? new Map<string, z.ZodType>() : fieldsOf(schema);
  const query = new Map<string, unknown>();
  const problems: FieldProblem[] = [];
  const params = new URLSearchParams(search);
  for (const name of new Set(params.keys())) {
    const values = params.getAll(name);
    const field = fields.get(name);
    const [first = ''] = values;
    if (field === undefined) {
      problems.push({
        field: name,
        message: 'is not a known query name',
        expected: fields.size === 0 ? 'no query' : `one of ${[...fields.keys()].join(', ')}`,
        got: renderGot(first),
      });
    } else if (kindOf(field) === 'array') {
      query.set(name, values);
    } else if (values.length > 1) {
      problems.push({
        field: name,
        message: 'is given more than once',
        expected: 'one value',
        got: renderGot(values),
      });
    } else {
      query.set(name, typed(field, first));
    }
  }
  if (problems.length === 0) return Object.fromEntries(query);
  const names = problems.map(({ field, message }) => `${field} ${message}`).join('; ');
  throw new CronmeshError('request-invalid', `The query is not valid: ${names}`, { problems });
}

function typed(field: z.ZodType, text: string): unknown {
  switch (kindOf(field)) {
    case 'number':
      return /^-?\d{1,16}$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    default:
      return text;
  }
}
