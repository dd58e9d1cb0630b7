/**
 * Tells regular expressions that can take for ever from those that cannot, before they are run: a browser cannot stop one.
 *
 * An expression backtracks without end where something repeated can match the same text in several ways, as in (a+)+ or
 * (a|a)*. So inside a repetition every choice (which alternative, once more or on) must be decided by the next character.
 * Outside of repetitions choices may overlap: those cost a power of the line's length, which matcher.ts measures.
 */

/** A set of characters: bits 0 to 127 are ASCII, bit 128 is everything else. */
type Chars = bigint;

const ONE = BigInt(1);
const NONE: Chars = BigInt(0);
const OTHER: Chars = ONE << BigInt(128);
const ALL: Chars = (ONE << BigInt(129)) - ONE;
const REPEATED_FROM = 5; // Fewer repetitions, as of a group of digits in an address, multiply little.

interface Part {
  first: Chars;
  nullable: boolean;
  /** Whether it is decided by the next character, when one of `follow` comes after it and it stands in a repetition. */
  decided: (follow: Chars, repeated: boolean) => boolean;
}

export interface Shape {
  /** Whether it can take time that doubles with every character. */
  ambiguous: boolean;
  /** The number of repetitions without a small bound: time grows with at most this power of the length, and one more. */
  repetitions: number;
}

/** Looks at an expression that RegExp has accepted with these flags. */
export function shapeOf(source: string, flags: string): Shape {
  const reader = new Reader(source, flags);
  const whole = reader.alternatives();
  return { ambiguous: !whole.decided(NONE, false), repetitions: reader.repetitions };
}

class Reader {
  repetitions = 0;
  private at = 0;

  constructor(
    private source: string,
    private flags: string
  ) {}

  alternatives(): Part {
    const parts = [this.sequence()];
    while (this.take('|')) {
      parts.push(this.sequence());
    }
    return parts.length === 1 ? parts[0] : oneOf(parts);
  }

  private sequence(): Part {
    const parts: Part[] = [];
    while (this.at < this.source.length && !this.sees('|') && !this.sees(')')) {
      parts.push(this.repetition());
    }
    return parts.reduceRight((rest, part) => both(part, rest), nothing);
  }

  private repetition(): Part {
    const part = this.atom();
    const count = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.source.slice(this.at, this.at + 40));
    if (!count) {
      return part;
    }
    this.at += count[0].length;
    const [, sign, low, comma, high] = count;
    const min = sign ? (sign === '+' ? 1 : 0) : Number(low);
    const max = sign ? (sign === '?' ? 1 : Infinity) : comma ? (high ? Number(high) : Infinity) : min;
    if (max >= REPEATED_FROM && max !== min) {
      this.repetitions++;
    }
    return repeated(part, min, max);
  }

  private atom(): Part {
    if (this.take('(')) {
      const head = /^\?(?:[:=!]|<[=!]|<[^>]*>|[a-z-]*:)/.exec(this.source.slice(this.at, this.at + 100))?.[0] ?? '';
      this.at += head.length;
      const body = this.alternatives();
      this.take(')');
      return /[=!]$/.test(head) ? lookaround(body) : body;
    }
    if (this.take('^') || this.take('$')) {
      return nothing;
    }
    const [text] = ATOM.exec(this.source.slice(this.at)) ?? [this.source[this.at]];
    this.at += text.length;
    if (/^\\[bB]$/.test(text)) {
      return nothing;
    }
    if (/^\\(?:[1-9]|k<)/.test(text)) {
      return { first: ALL, nullable: true, decided: (_, inside) => !inside }; // a back reference: what it repeats is not known
    }
    return characters(this.chars(text));
  }

  private chars(text: string): Chars {
    const one = new RegExp(`^${text}$`, this.flags.replace('m', ''));
    let chars: Chars = /[^\0-\x7f]|\\[ux]/.test(text) || one.test('é') || one.test('中') ? OTHER : NONE;
    for (let code = 0; code < 128; code++) {
      chars |= one.test(String.fromCharCode(code)) ? ONE << BigInt(code) : NONE;
    }
    return chars;
  }

  private sees(char: string): boolean {
    return this.source[this.at] === char;
  }

  private take(char: string): boolean {
    const seen = this.sees(char);
    this.at += seen ? 1 : 0;
    return seen;
  }
}

// An escape, a class, or one character.
const ATOM = /^(?:\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|k<[^>]*>|[1-9]\d*|[^])|\[\^?(?:\\[^]|[^\]\\])*\]|[^])/;

const nothing: Part = { first: NONE, nullable: true, decided: () => true };

function characters(first: Chars): Part {
  return { first, nullable: false, decided: () => true };
}

function lookaround(body: Part): Part {
  return { first: NONE, nullable: true, decided: (_, inside) => body.decided(NONE, inside) };
}

function both(part: Part, rest: Part): Part {
  return {
    first: part.first | (part.nullable ? rest.first : NONE),
    nullable: part.nullable && rest.nullable,
    decided: (follow, inside) =>
      rest.decided(follow, inside) && part.decided(rest.first | (rest.nullable ? follow : NONE), inside),
  };
}

function oneOf(parts: Part[]): Part {
  return {
    first: parts.reduce((sum, { first }) => sum | first, NONE),
    nullable: parts.some(({ nullable }) => nullable),
    decided: (follow, inside) => {
      let seen = NONE;
      for (const part of parts) {
        const first = part.first | (part.nullable ? follow : NONE);
        if (!part.decided(follow, inside) || (inside && (seen & first) !== NONE)) {
          return false;
        }
        seen |= first;
      }
      return true;
    },
  };
}

function repeated(part: Part, min: number, max: number): Part {
  const many = max >= REPEATED_FROM;
  return {
    first: max === 0 ? NONE : part.first,
    nullable: min === 0 || part.nullable,
    decided: (follow, inside) => {
      if (inside && min !== max && (part.first & follow) !== NONE) {
        return false;
      }
      return part.decided((max > 1 ? part.first : NONE) | (inside || !many ? follow : NONE), inside || many);
    },
  };
}
