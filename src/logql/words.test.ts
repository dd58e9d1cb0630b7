import { readFileSync } from 'node:fs';
import { FUNCTIONS, STAGES, TEMPLATE_FUNCTIONS } from './words';

/** The quoted names of a table in the store's own source. */
function namesIn(file: string, table: RegExp): string[] {
  const source = readFileSync(`pkg/logql/syntax/${file}`, 'utf8');
  return Array.from(table.exec(source)?.[1].matchAll(/"(\w+)"/g) ?? [], (match) => match[1]);
}

const labels = (words: Array<{ label: string }>) => words.map(({ label }) => label).sort();

describe('words', () => {
  it('are all template functions that the store knows', () => {
    const known = namesIn('template.go', /templateFunctions = templateNames\(([^)]*)\)/);
    expect(labels(TEMPLATE_FUNCTIONS)).toEqual(known.sort());
  });

  it('are all functions that the store knows', () => {
    const known = [
      ...namesIn('ast.go', /rangeOpNames = map\[string\]RangeOp\{([^}]*)\}/),
      ...namesIn('ast.go', /vectorOpNames = map\[string\]VectorOp\{([^}]*)\}/),
      'label_replace',
      'vector',
    ];
    expect(labels(FUNCTIONS)).toEqual(known.sort());
  });

  it('are all stages that the store knows', () => {
    const keywords = namesIn('token.go', /keywords = map\[string\]kind\{([^}]*)\}/);
    const others = 'by without bool offset on ignoring group_left group_right or and unless'.split(' ');
    const known = keywords.filter((word) => !others.includes(word));
    expect(labels(STAGES)).toEqual([...known, 'distinct'].sort());
  });
});
