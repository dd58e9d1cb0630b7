import type { PluginOptions } from '@grafana/plugin-e2e';
import { defineConfig, devices } from '@playwright/test';
import { dirname } from 'node:path';

const pluginE2eAuth = `${dirname(require.resolve('@grafana/plugin-e2e'))}/auth`;

const browser = {
  ...devices['Desktop Chrome'],
  storageState: 'playwright/.auth/admin.json',
};

/** The specs run against the Grafana of GRAFANA_URL and push their own lines to WOODSHED_PUSH_URL; see tests/run.mjs. */
export default defineConfig<PluginOptions>({
  testDir: './tests',
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  workers: 2,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  reporter: 'list',
  use: {
    baseURL: process.env.GRAFANA_URL,
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH ?? '/usr/bin/chromium',
      // A browser that asks nobody but the Grafana under test.
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'auth', testDir: pluginE2eAuth, testMatch: [/.*\.js/] },
    { name: 'specs', testMatch: /.*\.spec\.ts/, use: browser, dependencies: ['auth'] },
    { name: 'screenshots', testMatch: /screenshots\.ts/, use: browser, dependencies: ['auth'] },
  ],
});
