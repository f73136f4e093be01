// Returns what is wrong with a lab as it is shown now: a list of sentences.
(box) => {
  const problems = []
  const seen = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0
  const name = (e) => `${e.tagName.toLowerCase()} "${(e.title || e.textContent || e.value || '').trim().slice(0, 40)}"`
  const parse = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number)
    const rgb = numbers.slice(0, 3).map((n) => (text.startsWith('color(') ? n * 255 : n))
    return [...rgb, numbers[3] ?? 1]
  }
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]))
  const ground = (e) => {
    const layers = []
    for (; e; e = e.parentElement) {
      layers.unshift(parse(getComputedStyle(e).backgroundColor))
    }
    return layers.reduce((under, layer) => over(layer, under), [255, 255, 255])
  }
  const light = (rgb) => {
    const [r, g, b] = rgb.map((n) => n / 255).map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  for (const e of box.querySelectorAll('*')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
    const types = own || e.matches('input[type=text], input[type=number], textarea, select')
    if (!types || !seen(e) || e.closest('svg') || e.closest(':disabled')) continue
    const behind = ground(e)
    const ink = over(parse(getComputedStyle(e).color), behind)
    const [low, high] = [light(ink), light(behind)].sort((a, b) => a - b)
    const contrast = (high + 0.05) / (low + 0.05)
    if (contrast < 4.5) problems.push(`${name(e)} has a contrast of ${contrast.toFixed(2)}`)
  }
  for (const e of box.querySelectorAll('input:not([type=file]), select, textarea, button, [role=slider]')) {
    if (!seen(e)) continue
    const label = [...(e.labels || [])].map((l) => l.textContent).join('') || e.getAttribute('aria-label')
    const group = e.closest('.jupyter-widgets')
    const beside = group && group.querySelector('.widget-label')
    const words = label || e.title || (e.tagName === 'BUTTON' && e.textContent.trim()) || (beside && beside.textContent)
    if (!words) problems.push(`${name(e)} has no name`)
    if (e.tabIndex < 0 && !e.disabled) problems.push(`${name(e)} is out of the keyboard's reach`)
  }
  for (const e of box.querySelectorAll('label, .widget-label, button, td, th, .widget-readout, .widget-html-content')) {
    if (seen(e) && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline') {
      problems.push(`${name(e)} is cut: ${e.scrollWidth} of ${e.clientWidth} pixels`)
    }
  }
  for (const e of [box, ...box.querySelectorAll('*')]) {
    if (!seen(e) || e.matches('textarea')) continue
    const style = getComputedStyle(e)
    const scrolls = (value) => value === 'auto' || value === 'scroll'
    if (scrolls(style.overflowY) && e.scrollHeight > e.clientHeight + 1) problems.push(`${name(e)} .${e.className} scrolls inside the page`)
    if (scrolls(style.overflowX) && e.scrollWidth > e.clientWidth + 1) problems.push(`${name(e)} .${e.className} scrolls sideways`)
  }
  return [...new Set(problems)]
}
