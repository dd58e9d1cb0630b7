// Type checks and unit tests of ../../src with the packages that stand here: Grafana 13.2 and React 19. The sources are copied,
// because Node, TypeScript and jest all look for packages beside the file that asks.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const copy = join(here, '.copy');

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: copy, stdio: 'inherit' });
  if (status !== 0) {
    process.exitCode = status ?? 1;
  }
}

rmSync(copy, { recursive: true, force: true });
try {
  cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true, dereference: true });
  cpSync(join(root, '.config'), join(copy, '.config'), { recursive: true });
  // A test holds the words of the editor against the store's own.
  cpSync(join(root, 'pkg', 'logql', 'syntax'), join(copy, 'pkg', 'logql', 'syntax'), { recursive: true });
  for (const file of ['tsconfig.json', 'jest.config.js', 'jest-setup.js']) {
    cpSync(join(root, file), join(copy, file));
  }
  // The type roots of the configuration lie beside it; here they lie one directory up.
  const tsconfig = join(copy, '.config', 'tsconfig.json');
  writeFileSync(tsconfig, readFileSync(tsconfig, 'utf8').replaceAll('../node_modules/', '../../node_modules/'));
  run(join(here, 'node_modules', 'typescript', 'lib', 'tsc.js'), '--noEmit');
  run(join(here, 'node_modules', 'jest', 'bin', 'jest.js'), '--maxWorkers', '2');
} finally {
  rmSync(copy, { recursive: true, force: true });
}
