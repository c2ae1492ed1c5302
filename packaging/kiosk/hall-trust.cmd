@echo off
rem Makes this Windows PC trust the pages of the hall. Put it beside hall-ca.crt and hall-trust.ps1, and run it as administrator.
powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0hall-trust.ps1" %*
pause
