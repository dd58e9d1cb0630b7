import { render, screen } from '@testing-library/react';
import React from 'react';
import { Notice } from './Notice';

describe('Notice', () => {
  it('interrupts for what went wrong, and waits its turn otherwise', () => {
    render(
      <>
        <Notice severity="error">broken</Notice>
        <Notice severity="warning">careful</Notice>
        <Notice severity="info">by the way</Notice>
      </>
    );
    expect(screen.getAllByRole('alert').map((notice) => notice.textContent)).toEqual(['broken', 'careful']);
    expect(screen.getByRole('status')).toHaveTextContent('by the way');
  });
});
