// The kiosk whose browser has a camera, as a tablet's: codes are read by it.

import { camera } from './kiosk/camera';
import { main } from './kiosk/page';

main(camera);
