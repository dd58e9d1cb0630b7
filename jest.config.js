// Times in tests must not depend on where they run.
process.env.TZ = 'UTC';

const baseConfig = require('./.config/jest.config');
const { grafanaESModules, nodeModulesToTransform } = require('./.config/jest/utils');
const [transform] = Object.values(baseConfig.transform);

module.exports = {
  ...baseConfig,
  testTimeout: 30_000, // A busy machine must not fail a test that only waits for its turn.
  modulePathIgnorePatterns: ['<rootDir>/compat/', '<rootDir>/dist/'],
  // Some of Grafana's dependencies ship ES modules as .mjs, which the scaffold's pattern leaves alone.
  transform: { '^.+\\.m?[tj]sx?$': transform },
  // The packages of Grafana 13 bring more of them than the scaffold knows.
  transformIgnorePatterns: [nodeModulesToTransform([...grafanaESModules, '@react-hookz', '@ver0'])],
};
