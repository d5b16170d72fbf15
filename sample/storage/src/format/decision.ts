import type { Format } from './format.js';

/** What is known of one node's disk. */
export type Report =
  | { readonly kind: 'formatted'; readonly format: Format }
  | { readonly kind: 'fresh' }
  | { readonly kind: 'silent'; readonly why: string };

/** What a starting node does next. */
export type Decision =
  | { readonly kind: 'keep'; readonly deployment: string }
  /** This disk is fresh, the others' deployment is known: write it here. */
  | { readonly kind: 'adopt'; readonly deployment: string }
  /** All are fresh and this node is the first of the list: it alone makes a new deployment. */
  | { readonly kind: 'create' }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'refuse'; readonly why: string };

/**
 * How node `self` joins. More than half of all nodes decide what the deployment is, so that two halves of a cluster
 * never start as two; a new one begins only when every node has said that its disk is fresh.
 */
export function decide(self: number, reports: readonly Report[]): Decision {
  const nodes = reports.length;
  const majority = Math.floor(nodes / 2) + 1;
  const own = reports[self];
  const members = membersOf(reports);
  const silent = reports.flatMap((report, node) => (report.kind === 'silent' ? [`node ${node} (${report.why})`] : []));
  const leading = [...members].find(([, list]) => list.length >= majority)?.[0];
  const told = nodes - silent.length;

  if (own?.kind === 'formatted') {
    const { deployment, node } = own.format;
    if (node !== self || own.format.nodes !== nodes) {
      return refuse(
        `the folder is of node ${node} of ${own.format.nodes}, but was started as node ${self} of ${nodes}`,
      );
    }
    if (leading === deployment) return { kind: 'keep', deployment };
    if (leading !== undefined) {
      return refuse(`the folder belongs to deployment ${deployment}, but ${listing(members, leading)}`);
    }
    if (members.size === 1 && told >= majority) return { kind: 'keep', deployment };
    if (silent.length === 0) return refuse(`no deployment has more than half of the nodes: ${listing(members)}`);
    return wait(silent);
  }

  if (leading !== undefined) return { kind: 'adopt', deployment: leading };
  if (silent.length > 0) return wait(silent);
  if (members.size > 1) return refuse(`the other nodes do not agree: ${listing(members)}`);
  const [only] = members.keys();
  if (only !== undefined) return { kind: 'adopt', deployment: only };
  return self === 0 ? { kind: 'create' } : { kind: 'wait', why: 'node 0, which decides when all disks are fresh' };
}

function membersOf(reports: readonly Report[]): Map<string, number[]> {
  const members = new Map<string, number[]>();
  reports.forEach((report, node) => {
    if (report.kind !== 'formatted') return;
    const list = members.get(report.format.deployment);
    if (list) list.push(node);
    else members.set(report.format.deployment, [node]);
  });
  return members;
}

function listing(members: ReadonlyMap<string, number[]>, only?: string): string {
  const texts = [];
  for (const [deployment, nodes] of members) {
    if (only === undefined || only === deployment) texts.push(`${deployment} is that of node ${nodes.join(', ')}`);
  }
  return texts.join('; ');
}

function refuse(why: string): Decision {
  return { kind: 'refuse', why };
}

function wait(silent: readonly string[]): Decision {
  return { kind: 'wait', why: silent.join(', ') };
}
