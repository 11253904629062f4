import { describe, expect, it } from 'vitest';
import { html } from '../../../src/observe/page/html.ts';

describe('html', () => {
  it('leaves a text a text, whatever is in it, inside an attribute, too', () => {
    const nasty = `<b title='x' & "y">`;
    const escaped = '&#60;b title=&#39;x&#39; &#38; &#34;y&#34;&#62;';
    expect(html`<p title="${nasty}">${nasty}</p>`.text).toBe(`<p title="${escaped}">${escaped}</p>`);
  });

  it('takes pieces as they are, one by one and in lists, and leaves out what is not there', () => {
    const items = ['a', '<'].map((text) => html`<li>${text}</li>`);
    expect(html`${items}${undefined}${false}${0}${''}`.text).toBe('<li>a</li><li>&#60;</li>0');
  });
});
