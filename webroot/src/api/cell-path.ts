/** Where a cell stands in an address: everything of it below `/cells/<name>`. */
const inCell = /^\/cells\/([^/]+)(?=\/|$)/;

export function cellIn(pathname: string): string | undefined {
  return inCell.exec(pathname)?.[1];
}

/** The same room in another cell; what is shown in it (a job, a run) is of this one and stays here. */
export function roomInCell(cell: string, pathname: string): string {
  const [, room = ''] = pathname.replace(inCell, '').split('/');
  return `/cells/${cell}/${room}`;
}
