import test, { describe, it } from 'node:test';
import assert from 'node:assert';

const state = (count) => (count > 100 ? 'plenty' : count > 0 ? 'few' : 'none');

describe('stock', () => {
  it('is plenty', () => assert.equal(state(200), 'plenty'));
  it('is none', () => assert.equal(state(0), 'none'));
  describe('integration with the shelf', () => {
    it('is few', () => assert.equal(state(5), 'few'));
    it('is wrong', () => assert.equal(state(5), 'some'));
  });
});
test('not yet', { skip: 'later' }, () => {});
test('stands alone', () => assert.ok(true));
