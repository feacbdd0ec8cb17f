"""How answers are written to a question whose right answer is 2. Two spaces or a line's end lie between two forms."""

from __future__ import annotations

import re


def _forms(text: str) -> list[str]:
    return re.split(r"\n|  +", text.strip())


TWO = _forms(r"""
2m  2kg  2 km/h  2 m/s^2  2 cm^2  2 cm2  2 m²  2m3  2\,\text{cm}^2  2 N·m  2°  2 °C  2^\circ  2^o  2^{\circ}\text{C}
€2  2€  £2  2 EUR  USD 2  ¥2  \$2  \$2/h  2\%  2 %  ≈2  ~2  \approx 2  about 2  +2  x=2  x = 2
2 times  2 y/o  2 years  2nd  #2  (2)  [2]  |2|  2...  2.0  02  \frac{2}{1}  4/2  **2**  __2__  \(2\)  $2$ m/s
\mathbf{2}  \left(2\right)  **2**!  Answer: 2!  It is 2!  > 2  => 2  -> 2  <answer>2</answer>  <b>2</b>
2×10⁰  0.2e1  2E0  20×10⁻¹  2 per cent  2 ㎏  ＄2  2％
<b>So:</b> 2  <i>x</i>2  2 - a good number  log: 2  2 thousand
""")

PARTS = _forms(r"""
√2  2√3  2⁴  2³  \sqrt{2}  \sqrt2  2\sqrt{x}  square root of 2  2^2  2**2  2²  2^{x}  x^2  e^2  2 squared
(2!)  $2!$  \boxed{2!}  2!/2  2π  2\pi  2 pi  \frac{\pi}{2}  2e  2i  2 + i  2x  2x^2  2 x
x + 2  2 - x  2y - x  2 \cdot x  2/x  x/2  \frac{2}{x}  2 + 2  2*2  2x2  2 \cdot 2  2-2  2-3  2 to 3  2 or 3
±2  \pm 2  2 ± 1  log 2  \ln(2)  sin(2)  f(2)  x_2  \log_2  >2  x < 2  ≥2  \le 2  \sum 2  ∑2  2∞
2:30  C(2, 1)  2 mod 3
""")
"""Of each of these 2 is a part."""
