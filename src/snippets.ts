/** How agents push to this store: the few lines of their configuration that matter. */

export type Agent = 'promtail' | 'alloy' | 'fluentbit' | 'vector' | 'curl';

export const AGENTS: Array<{ value: Agent; label: string }> = [
  { value: 'promtail', label: 'Promtail' },
  { value: 'alloy', label: 'Alloy' },
  { value: 'fluentbit', label: 'Fluent Bit' },
  { value: 'vector', label: 'Vector' },
  { value: 'curl', label: 'curl' },
];

export const PUSH_PATH = '/loki/api/v1/push';
export const TENANT_HEADER = 'X-Scope-OrgID';

/** The snippet for an agent that pushes to a listener, in the name of a tenant where that has to be said. */
export function pushSnippet(agent: Agent, listener: string, tenant?: string): string {
  return SNIPPETS[agent](new URL(listener), tenant).join('\n');
}

const SNIPPETS: Record<Agent, (url: URL, tenant?: string) => string[]> = {
  promtail: ({ origin }, tenant) => [
    'clients:',
    `  - url: ${origin}${PUSH_PATH}`,
    ...optional(tenant, `    tenant_id: ${quote(tenant)}`),
  ],
  alloy: ({ origin }, tenant) =>
    tenant
      ? [
          'loki.write "woodshed" {',
          '  endpoint {',
          `    url       = "${origin}${PUSH_PATH}"`,
          `    tenant_id = ${quote(tenant)}`,
          '  }',
          '}',
        ]
      : ['loki.write "woodshed" {', `  endpoint { url = "${origin}${PUSH_PATH}" }`, '}'],
  fluentbit: ({ hostname, port, protocol }, tenant) => [
    '[OUTPUT]',
    '    name   loki',
    '    match  *',
    `    host   ${hostname}`,
    `    port   ${port || (protocol === 'https:' ? 443 : 80)}`,
    '    labels job=fluentbit',
    ...optional(tenant, `    tenant_id ${tenant}`),
    ...optional(protocol === 'https:', '    tls    on'),
  ],
  vector: ({ origin }, tenant) => [
    'sinks:',
    '  woodshed:',
    '    type: loki',
    '    inputs: ["*"]',
    `    endpoint: ${origin}`,
    '    encoding: { codec: json }',
    '    labels: { forwarder: vector }',
    ...optional(tenant, `    tenant_id: ${quote(tenant)}`),
  ],
  curl: ({ origin }, tenant) => [
    `curl -H 'Content-Type: application/json' ${origin}${PUSH_PATH} \\`,
    ...optional(tenant, `  -H ${shellQuote(`${TENANT_HEADER}: ${tenant}`)} \\`),
    `  -d '{"streams":[{"stream":{"app":"demo"},"values":[["'$(date +%s)'000000000","hello"]]}]}'`,
  ],
};

function optional(condition: unknown, line: string): string[] {
  return condition ? [line] : [];
}

/** A text in YAML and Alloy: without quotes a tenant called 1234 would be a number. */
function quote(text: string | undefined): string {
  return JSON.stringify(text);
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
