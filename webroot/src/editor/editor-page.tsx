export function EditorPage(_: { readonly name?: string }) {
  return null;
}
