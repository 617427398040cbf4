import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numbersOf } from '../../lib/numbers.ts'

const FIELDS = {
  size: { default: 5, least: 1, most: 10, isWhole: true },
  zoom: { default: 1, least: 0.5, most: 2, isWhole: false },
}

const bodies: [what: string, body: Record<string, unknown>, size: number, zoom: number][] = [
  ['nothing', {}, 5, 1],
  ['the least', { size: 1, zoom: 0.5 }, 1, 0.5],
  ['the most', { size: 10, zoom: 2 }, 10, 2],
  ['others, too', { size: 2, toString: 3 }, 2, 1],
  ['what it inherits', Object.create({ size: 99 }), 5, 1],
]

for (const [what, body, size, zoom] of bodies) {
  test(`the numbers of a body that has ${what}`, () => {
    assert.deepEqual(numbersOf(body, FIELDS), { size, zoom })
  })
}

const wrong: [name: keyof typeof FIELDS, value: unknown][] = [
  ['size', 0],
  ['size', 11],
  ['size', 1.5],
  ['size', '5'],
  ['size', null],
  ['size', undefined],
  ['zoom', 0.49],
  ['zoom', 2.01],
  ['zoom', Number.NaN],
  ['zoom', true],
]

for (const [name, value] of wrong) {
  test(`a body whose ${name} is ${value} (${typeof value}) is a 422 that points to it`, () => {
    const range = name === 'size' ? 'a whole number from 1 to 10' : 'a number from 0.5 to 2'
    const errors = [{ pointer: `/${name}`, detail: `expected ${range}` }]
    assert.throws(() => numbersOf({ [name]: value }, FIELDS), { status: 422, errors })
  })
}
