import { render, screen } from '@testing-library/react';
import React from 'react';
import { readStatus } from '../api';
import { StoreNotices } from './StoreNotices';

describe('StoreNotices', () => {
  it('says what was refused and why, and passes warnings on', () => {
    const refused = [
      {
        reason: 'too_far_ahead',
        tenant: 'fake',
        entries: 1204,
        text: '1,204 entries were refused in the last 15 minutes: timestamp 8 h in the future (clock or time zone of the agent?)',
      },
      { reason: 'line_too_long', tenant: 'fake', entries: 0, text: 'never' },
    ];
    render(
      <StoreNotices
        status={readStatus({ state: 'ready', entries: 1, refused, warnings: ['The disk is nearly full.'] })}
      />
    );
    expect(
      screen.getByText(
        '1,204 entries were refused in the last 15 minutes: timestamp 8 h in the future (clock or time zone of the agent?)'
      )
    ).toBeInTheDocument();
    expect(screen.getByText('The disk is nearly full.')).toBeInTheDocument();
    expect(screen.queryByText(/never/)).not.toBeInTheDocument();
  });

  it('says what the store is doing until it is ready', () => {
    const message = 'Woodshed 0.1.0 is replaying its write-ahead log: 40%. It answers when that is done.';
    const { rerender } = render(<StoreNotices status={readStatus({ state: 'replaying', message })} />);
    expect(screen.getByText(message)).toBeInTheDocument();
    rerender(<StoreNotices status={readStatus({ state: 'ready', message: 'Woodshed 0.1.0 is running.' })} />);
    expect(screen.queryByText(/Woodshed/)).not.toBeInTheDocument();
  });

  it('is silent when all is well', () => {
    const { container } = render(<StoreNotices status={readStatus({ state: 'ready', entries: 1 })} />);
    expect(container).toBeEmptyDOMElement();
  });
});
