// The number spoken by the kiosk's own browser, for those who cannot read it, where the browser has a voice.

import { language } from './words';

function voice(lang: string): SpeechSynthesisVoice | null {
  const all = window.speechSynthesis ? window.speechSynthesis.getVoices() : [];
  for (let i = 0; i < all.length; i++) {
    if (all[i].lang.slice(0, 2).toLowerCase() === lang && all[i].localService) { // a voice from elsewhere would carry away what is said
      return all[i];
    }
  }
  return null;
}

export function canSay(): boolean {
  return voice(language()) !== null;
}

/** Says a number digit by digit. */
export function sayNumber(number: string): void {
  const speaker = voice(language());
  if (!speaker) {
    return;
  }
  const digits = number.split('').join(' ');
  const said = new SpeechSynthesisUtterance(language() === 'zh' ? '您的号码是 ' + digits : 'Your number is ' + digits);
  said.voice = speaker;
  said.lang = speaker.lang;
  said.rate = .85;
  window.speechSynthesis.cancel();
  window.speechSynthesis.speak(said);
}
