export function JobPage(_: { readonly name: string }) {
  return null;
}
