import { madeLabels } from './made';

describe('madeLabels', () => {
  const f = (pipeline: string, ...want: string[]) => expect(madeLabels(pipeline)).toEqual(want);

  it('reads lists of extractions', () => {
    f('| json a="b.c", d | logfmt --strict e="f, g", h', 'a', 'd', 'e', 'h');
    f('| json | logfmt --keep-empty');
  });

  it('reads formats, patterns and regular expressions', () => {
    f('| label_format new=old, other="{{.x}}|{{.y}}"', 'new', 'other');
    f('| regexp "(?P<verb>\\\\w+) (?P<path>.*)"', 'verb', 'path');
    f('| pattern `<ip> - <_> [<when>]`', 'ip', 'when');
  });

  it('is not misled by line filters, strings, comments and half-typed text', () => {
    f('|= "| json fake" |~ "x" # | json comment\n| json real', 'real');
    f('| json a="unclosed', 'a');
    f('| regexp "(?P<open', ...[]);
    f('| ');
    f('');
  });
});
