import { AGENTS, pushSnippet } from './snippets';

const URL = 'http://127.0.0.1:3110';

describe('pushSnippet', () => {
  it('is short for the tenant that needs no name', () => {
    expect(pushSnippet('promtail', URL)).toBe('clients:\n  - url: http://127.0.0.1:3110/loki/api/v1/push');
    expect(pushSnippet('alloy', URL)).toBe(
      'loki.write "woodshed" {\n  endpoint { url = "http://127.0.0.1:3110/loki/api/v1/push" }\n}'
    );
    for (const { value } of AGENTS) {
      expect(pushSnippet(value, URL)).toContain('127.0.0.1');
      expect(pushSnippet(value, URL)).not.toMatch(/tenant|OrgID|undefined/);
    }
  });

  it('names the tenant where it has to be said', () => {
    for (const { value } of AGENTS) {
      expect(pushSnippet(value, URL, 'team-a')).toMatch(/(tenant_id.*|X-Scope-OrgID: )team-a/);
    }
    expect(pushSnippet('promtail', URL, '1234')).toContain('tenant_id: "1234"');
    expect(pushSnippet('curl', URL, "o'neil")).toContain(`-H 'X-Scope-OrgID: o'\\''neil' \\`);
  });

  it('knows what Fluent Bit needs for TLS', () => {
    expect(pushSnippet('fluentbit', 'https://logs.example')).toMatch(
      /host {3}logs\.example\n.*port {3}443[^]*tls {4}on/
    );
  });
});
