/** What the pages use of lean-qr. */
export interface Bitmap {
  toCanvas(
    canvas: HTMLCanvasElement,
    options: { on: [number, number, number, number]; off: [number, number, number, number]; padX: number; padY: number },
  ): void;
}

export function generate(text: string): Bitmap;
