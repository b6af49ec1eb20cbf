// The random numbers of numpy's PCG64, seeded by its SeedSequence: a seed gives the sample that it gives in Python.
// Sources: O'Neill 2014, "PCG: a family of simple fast space-efficient statistically good algorithms for random number
// generation"; numpy's documentation of SeedSequence.

const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const POOL_SIZE = 4;

/** A generator of random numbers. */
export class Random {
  /** @param {number} seed A whole number of 0 or more. */
  constructor(seed) {
    const [high, low, incrementHigh, incrementLow] = seedWords(seed);
    this.increment = BigInt.asUintN(128, (((incrementHigh << 64n) | incrementLow) << 1n) | 1n);
    this.state = ((high << 64n) | low) + this.increment;
    this.step();
  }

  step() {
    this.state = BigInt.asUintN(128, this.state * MULTIPLIER + this.increment);
  }

  /** Returns a number from 0 to 1, without 1. */
  next() {
    this.step();
    const [folded, turn] = [BigInt.asUintN(64, (this.state >> 64n) ^ this.state), this.state >> 122n];
    const turned = BigInt.asUintN(64, (folded >> turn) | (folded << (64n - turn)));
    return Number(turned >> 11n) / 2 ** 53;
  }
}

/** Returns four words of 64 bits for the first sample of a seed. @param {number} seed */
function seedWords(seed) {
  const entropy = [];
  for (let rest = BigInt(seed); rest > 0n || !entropy.length; rest >>= 32n) entropy.push(Number(rest & 0xffffffffn));
  while (entropy.length < POOL_SIZE) entropy.push(0);
  entropy.push(0); // the number of the sample
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  const pool = entropy.slice(0, POOL_SIZE).map(hash);
  for (let from = 0; from < entropy.length; from++) {
    for (let to = 0; to < POOL_SIZE; to++) {
      if (from === to) continue;
      const hashed = hash(from < POOL_SIZE ? pool[from] : entropy[from]);
      const mixed = (Math.imul(0xca01f9dd, pool[to]) - Math.imul(0x4973f715, hashed)) >>> 0;
      pool[to] = (mixed ^ (mixed >>> 16)) >>> 0;
    }
  }
  const draw = hasher(0x8b51f9dd, 0x58f38ded);
  const words = [...pool, ...pool].map((word) => BigInt(draw(word)));
  return [0, 2, 4, 6].map((index) => words[index] | (words[index + 1] << 32n));
}

/** Returns a function that hashes 32 bits, each time otherwise. @param {number} constant @param {number} multiplier */
function hasher(constant, multiplier) {
  return (/** @type {number} */ value) => {
    value ^= constant;
    constant = Math.imul(constant, multiplier);
    value = Math.imul(value, constant);
    return (value ^ (value >>> 16)) >>> 0;
  };
}
