import { Controller, Get, Header, Param, Sse, type MessageEvent } from '@nestjs/common';
import { Grid, InjectGrid } from 'nestjs-grid';
import { map, type Observable } from 'rxjs';
import type { Progress } from './import.controller.js';

@Controller()
export class BrowserController {
  constructor(@InjectGrid() private readonly grid: Grid) {}

  /** Live progress for a browser. Closing the page unsubscribes, which cancels the call at the worker. */
  @Sse('import/:lines')
  import(@Param('lines') count: string): Observable<MessageEvent> {
    const [worker] = this.grid.peers;
    const call = worker!.stream<Progress, string>(21, 'big.csv', { input: linesOf(Number(count)) });
    return call.toObservable().pipe(map((data) => ({ data })));
  }

  @Get()
  @Header('content-type', 'text/html')
  page(): string {
    return `<h1>import</h1><pre></pre><script>
      const events = new EventSource('/import/100000');
      events.onmessage = ({ data }) => (document.querySelector('pre').textContent = data);
      events.onerror = () => events.close(); // the end: do not start again
    </script>`;
  }
}

/** Any Iterable, AsyncIterable, Observable or Readable can be input; a file, for example. */
function* linesOf(count: number): Generator<string> {
  for (let line = 0; line < count; line++) yield `line ${line} of a big file`;
}
