// All functions that expressions of ops.def may use, in namespace m. Host and device share them.
#pragma once
#include "math/arithmetic.h"
#include "math/exp.h"
#include "math/log.h"
#include "math/normal.h"
#include "math/power.h"
#include "math/trig.h"
