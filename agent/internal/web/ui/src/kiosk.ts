// The kiosk whose readers stand beside the screen.

import { main } from './kiosk/page';

main(null);
