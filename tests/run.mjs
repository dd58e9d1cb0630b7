// Runs the end-to-end specs, or with --screenshots the pictures of docs/img, against the Grafana of GRAFANA_URL. Its Woodshed
// must take pushes at WOODSHED_PUSH_URL. Without a Grafana there is nothing to run against, which is said and is no failure.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const [first, ...rest] = process.argv.slice(2);
const screenshots = first === '--screenshots';
const missing = ['GRAFANA_URL', 'WOODSHED_PUSH_URL'].filter((name) => !process.env[name]);

if (missing.length > 0) {
  const what = screenshots ? 'SCREENSHOTS' : 'END-TO-END SPECS';
  console.log(`\n*** ${what} SKIPPED: ${missing.join(' and ')} not set. ***`);
  console.log('*** Set GRAFANA_URL to a Grafana with this plugin and WOODSHED_PUSH_URL to its push listener. ***\n');
  process.exit(0);
}

const playwright = createRequire(import.meta.url).resolve('@playwright/test/cli');
const project = screenshots ? 'screenshots' : 'specs';
const args = ['test', '--project', project, ...(screenshots ? rest : process.argv.slice(2))];
const env = { ...process.env, PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: '1' };
const { status } = spawnSync(process.execPath, [playwright, ...args], { stdio: 'inherit', env });
process.exit(status ?? 1);
